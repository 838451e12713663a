"""Training loops of other libraries, for ``train(config, ctx)`` of :class:`workloads.loop.Loop`.

Each module has one function that hands the loop to its library, reports after each unit of training and goes
on from ``ctx.checkpoint``. Libraries are imported where they are used; they are extras of this distribution.
"""
