"""Stable-Baselines3's PPO balances a pole; a unit of training is a rollout with its updates."""

from stable_baselines3 import PPO

from workloads.adapters import stable_baselines3

ROLLOUTS, STEPS = 40, 512


def train(config, ctx):
    model = PPO(
        "MlpPolicy",
        "CartPole-v1",
        learning_rate=config["learning_rate"],
        clip_range=config["clip_range"],
        ent_coef=config["entropy"],
        gamma=config["discount"],
        gae_lambda=config["gae_lambda"],
        n_steps=STEPS,
        device="cpu",
    )
    stable_baselines3.learn(ctx, model, total_timesteps=ROLLOUTS * STEPS)
