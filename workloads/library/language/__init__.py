"""What language workloads share: texts, a small GPT, sampling from it, and rewards that are programs."""
