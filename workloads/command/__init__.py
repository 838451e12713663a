"""Any program as a workload: a script, a binary, a launcher of several processes; whatever the language.

One way: ``templates`` and ``reports`` say what goes in and what comes out, ``process`` runs programs below a
``supervisor``, ``sessions`` and ``serving`` make members of them, ``workload`` reads the configuration.
"""

from workloads.command.workload import Command

__all__ = ["Command"]
