"""The examples of every command: what is done, and the line to type. Data only.

Every line fits 80 columns with its indent, and tests type it: it must parse. The empty name is
that of erfailover itself.
"""

from __future__ import annotations

Examples = tuple[tuple[str, str], ...]

EXAMPLES: dict[str, Examples] = {
    "": (
        ("Which path each spoke is on, and whether the other is ready", "erfailover status"),
        ("Everything that a switch would write", "erfailover switch --to ipsec --dry-run"),
        ("The help of a command", "erfailover help switch"),
    ),
    "init": (
        ("The proof of concept's site file, with a comment on every section", "erfailover init"),
        (
            "The site file of an existing network (read-only)",
            'erfailover init --from-azure --primary-hub "$HUB1" --backup-hub "$HUB2"',
        ),
    ),
    "provision": (
        (
            "What would be created, the estimated time and the cost",
            "erfailover provision --dry-run",
        ),
        ("Create it in the lab without a prompt", "erfailover provision --lab --yes"),
    ),
    "status": (
        ("The verdict, and all that it rests on", "erfailover status"),
        ("The same, read again every 30 s, with what changed", "erfailover status --watch"),
        ("The path in one word, for a script", "erfailover status --query path -o tsv"),
        (
            "The BGP peers of the backup's gateway",
            "erfailover status -o table --query \"gateways[?role=='backup'].peers[]\"",
        ),
    ),
    "diagram": (
        ("A picture for the incident channel", "erfailover diagram -f site.png"),
        ("The same, to look at in a browser", "erfailover diagram > site.svg"),
    ),
    "doctor": (
        ("Whether a switch could work, each line with its remedy", "erfailover doctor"),
        (
            "Only what fails",
            "erfailover doctor -o tsv \\\n    --query \"checks[?verdict=='FAIL'].[name, seen]\"",
        ),
    ),
    "permissions": (
        ("Which rights are needed on what, and for which step", "erfailover permissions"),
        (
            "A custom role with just the rights of a switch",
            "erfailover permissions --role-definition switch > role.json",
        ),
    ),
    "switch": (
        ("The plan, and nothing more", "erfailover switch --to ipsec --dry-run"),
        (
            "The plan, saved for approval",
            "erfailover switch --to ipsec --dry-run --out plan.json",
        ),
        ("Just that plan, or a refusal", "erfailover switch --plan plan.json"),
        (
            "The plan as az commands, for a night without erfailover",
            "erfailover switch --to ipsec --dry-run -o az > switch.sh",
        ),
        ("ExpressRoute has failed: move every spoke", "erfailover switch --to ipsec"),
        (
            "One spoke first, the others once it works",
            "erfailover switch --to ipsec --canary vnet1",
        ),
        ("One spoke; the others can follow", "erfailover switch --to ipsec --spoke vnet1"),
        (
            "With a report for the incident record, however it ends",
            "erfailover switch --to ipsec --report incident.html",
        ),
        (
            "With a ticket and a reason in the journal and the report",
            'erfailover switch --to ipsec --ticket INC-2231 --reason "Carrier outage"',
        ),
        ("Back, without being asked", "erfailover switch --to expressroute --yes"),
        ("Take the last switch back, from any state", "erfailover switch --undo"),
    ),
    "prestage": (
        ("On a quiet day: the peerings that would be created", "erfailover prestage --dry-run"),
        ("Create them; a switch then writes two peerings per spoke", "erfailover prestage"),
    ),
    "unprestage": (
        ("Which peerings would be removed", "erfailover unprestage --dry-run"),
        ("Remove them", "erfailover unprestage"),
    ),
    "history": (
        ("Who ran what, when, and how it ended", "erfailover history"),
        ("One run with every step and correlation id", "erfailover history 4f1d8a"),
        ("The report of the last run, as a page", "erfailover history --report incident.html"),
        (
            "Every run of the last month, for another system",
            "erfailover history --since 30d --format jsonl",
        ),
        (
            "The ids of the runs that failed",
            "erfailover history -o tsv --query \"[?outcome=='failed'].id\"",
        ),
    ),
    "export": (
        ("The peerings as they are now, as Terraform's code", "erfailover export terraform"),
        ("As Bicep, a file for each resource group", "erfailover export bicep --split peerings"),
    ),
    "validate": (
        ("Whether the site file is valid, without Azure", "erfailover validate"),
        ("In a pipeline: every problem as JSON", "erfailover validate -o json"),
    ),
    "sites": (
        ("One line for each site file of a folder", "erfailover sites ~/sites"),
        (
            "The sites whose other path is not ready",
            "erfailover sites ~/sites -o tsv --query '[?!ready].site'",
        ),
    ),
    "drill": (
        ("Fail the primary path on purpose", "erfailover drill start"),
        ("Repair it", "erfailover drill stop"),
    ),
    "drill start": (
        (
            "Fail the primary path of a stand-in, without being asked",
            "erfailover drill start --yes",
        ),
        (
            "Start Azure's site failover test of an ExpressRoute gateway",
            "erfailover drill start --gateway ergw1",
        ),
    ),
    "drill stop": (("Stop the running drill", "erfailover drill stop"),),
    "verify": (
        ("Every probe of the site, all expected up", "erfailover verify"),
        ("During a drill", "erfailover verify --expect office=down,internet=up"),
        ("Which probes are not as expected", "erfailover verify --query '[?!as_expected].name'"),
    ),
    "destroy": (
        ("What would be deleted, and what is kept", "erfailover destroy --dry-run"),
        ("Delete what provision created, after a prompt", "erfailover destroy"),
    ),
    "demo": (
        ("The end-to-end demo on a temporary lab, some minutes", "erfailover demo"),
        ("Keep the lab to look around in", "erfailover demo --keep"),
    ),
    "version": (
        ("What runs here, for a report of a fault", "erfailover version"),
        ("One of the packages", "erfailover version --query 'packages.\"azure-core\"' -o tsv"),
    ),
    "schema": (
        ("Which schemas there are", "erfailover schema"),
        (
            "The one of the site file, for editors",
            "erfailover schema site > erfailover.schema.json",
        ),
    ),
    "completion": (
        ("bash: this line in ~/.bashrc", 'eval "$(erfailover completion bash)"'),
        ("zsh: this line in ~/.zshrc, after compinit", 'eval "$(erfailover completion zsh)"'),
        (
            "fish: once",
            "erfailover completion fish > ~/.config/fish/completions/erfailover.fish",
        ),
        (
            "PowerShell: this line in $PROFILE",
            "erfailover completion powershell | Out-String | Invoke-Expression",
        ),
    ),
    "help": (
        ("All commands", "erfailover help"),
        ("One of them", "erfailover help drill start"),
    ),
}
