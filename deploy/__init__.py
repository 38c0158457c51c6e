"""How it runs: engines, migrations, the sandbox, and the `amply` command."""
