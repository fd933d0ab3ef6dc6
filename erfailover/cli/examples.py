"""The examples of every command: what the line does, and the line to type. Data only.

Every line fits 80 columns with its indent, and tests type it: it must parse. The empty name is
that of erfailover itself.
"""

from __future__ import annotations

Examples = tuple[tuple[str, str], ...]

EXAMPLES: dict[str, Examples] = {
    "": (
        ("Show which path each spoke is on, and whether the other is ready", "erfailover status"),
        ("Show everything that a switch would change", "erfailover switch --to ipsec --dry-run"),
        ("Show the help of a command", "erfailover help switch"),
    ),
    "init": (
        ("Write a sample site file with a comment on every section", "erfailover init"),
        (
            "Write the site file of an existing network (read-only)",
            'erfailover init --from-azure --primary-hub "$HUB1" --backup-hub "$HUB2"',
        ),
    ),
    "provision": (
        (
            "Show what would be created, the estimated time and the cost",
            "erfailover provision --dry-run",
        ),
        ("Create the network in the lab, without a prompt", "erfailover provision --lab --yes"),
    ),
    "status": (
        ("Show the verdict and every problem", "erfailover status"),
        ("Refresh every 30 s and mark what changed", "erfailover status --watch"),
        ("Print the path in one word, for a script", "erfailover status --query path -o tsv"),
        (
            "List the BGP peers of the backup gateway",
            "erfailover status -o table --query \"gateways[?role=='backup'].peers[]\"",
        ),
    ),
    "diagram": (
        ("Draw a picture for the incident channel", "erfailover diagram -f site.png"),
        ("Draw a picture to open in a browser", "erfailover diagram > site.svg"),
    ),
    "doctor": (
        ("Check whether a switch could work; each problem has a remedy", "erfailover doctor"),
        (
            "List only the checks that fail",
            "erfailover doctor -o tsv \\\n    --query \"checks[?verdict=='FAIL'].[name, seen]\"",
        ),
    ),
    "permissions": (
        ("List the rights that each step needs, and on what", "erfailover permissions"),
        (
            "Print a custom role with only the rights that a switch needs",
            "erfailover permissions --role-definition switch > role.json",
        ),
    ),
    "switch": (
        ("Show the plan without applying it", "erfailover switch --to ipsec --dry-run"),
        (
            "Save the plan for approval",
            "erfailover switch --to ipsec --dry-run --out plan.json",
        ),
        (
            "Apply exactly that plan; refused if Azure has changed",
            "erfailover switch --plan plan.json",
        ),
        (
            "Print the plan as az commands, in case erfailover is unavailable",
            "erfailover switch --to ipsec --dry-run -o az > switch.sh",
        ),
        ("Move every spoke when ExpressRoute has failed", "erfailover switch --to ipsec"),
        (
            "Move one spoke first, and the others once it works",
            "erfailover switch --to ipsec --canary vnet1",
        ),
        ("Move one spoke only", "erfailover switch --to ipsec --spoke vnet1"),
        (
            "Write a report for the incident record, even if the switch fails",
            "erfailover switch --to ipsec --report incident.html",
        ),
        (
            "Record a ticket and a reason in the journal and the report",
            'erfailover switch --to ipsec --ticket INC-2231 --reason "Carrier outage"',
        ),
        ("Switch back without a prompt", "erfailover switch --to expressroute --yes"),
        ("Undo the last switch, from any state", "erfailover switch --undo"),
    ),
    "prestage": (
        ("Show which peerings would be created", "erfailover prestage --dry-run"),
        ("Create them; a switch then changes two peerings per spoke", "erfailover prestage"),
    ),
    "unprestage": (
        ("Show which peerings would be removed", "erfailover unprestage --dry-run"),
        ("Remove them", "erfailover unprestage"),
    ),
    "history": (
        ("List who ran what, when, and how it ended", "erfailover history"),
        ("Show one run with every step and correlation id", "erfailover history 4f1d8a"),
        (
            "Write the report of the last run as an HTML page",
            "erfailover history --report incident.html",
        ),
        (
            "Export every run of the last 30 days as JSON lines",
            "erfailover history --since 30d --format jsonl",
        ),
        (
            "List the ids of the failed runs",
            "erfailover history -o tsv --query \"[?outcome=='failed'].id\"",
        ),
    ),
    "export": (
        ("Print the current peerings as Terraform code", "erfailover export terraform"),
        ("Write Bicep, one file per resource group", "erfailover export bicep --split peerings"),
    ),
    "validate": (
        ("Check the site file without calling Azure", "erfailover validate"),
        ("List every problem as JSON, for a pipeline", "erfailover validate -o json"),
    ),
    "sites": (
        ("Show one line for each site file in a folder", "erfailover sites ~/sites"),
        (
            "List the sites whose other path is not ready",
            "erfailover sites ~/sites -o tsv --query '[?!ready].site'",
        ),
    ),
    "drill": (
        (
            "Prove the backup path: move one spoke to it and back",
            "erfailover drill run --canary vnet1",
        ),
        ("Fail the primary path on purpose", "erfailover drill start"),
        ("Repair it", "erfailover drill stop"),
        (
            "Print how to disable a circuit's private peering, without doing it",
            "erfailover drill --show-circuit-test",
        ),
    ),
    "drill run": (
        (
            "Move one spoke to IPsec, verify, and move it back",
            "erfailover drill run --canary vnet1",
        ),
        (
            "From cron or a systemd timer: one line and an exit code",
            "erfailover drill run --canary vnet1 --yes --quiet --report drill.html",
        ),
        (
            "Print only whether both ways were verified",
            "erfailover drill run --canary vnet1 --yes --query verified -o tsv",
        ),
    ),
    "drill show-circuit-test": (
        (
            "Print the commands for the circuits of the primary gateway",
            "erfailover drill show-circuit-test",
        ),
    ),
    "drill start": (
        (
            "Fail the primary path of a VPN stand-in, without a prompt",
            "erfailover drill start --yes",
        ),
        (
            "Start Azure's site failover test of an ExpressRoute gateway",
            "erfailover drill start --gateway ergw1",
        ),
    ),
    "drill stop": (("Stop the running drill", "erfailover drill stop"),),
    "watch": (
        ("Watch the site and serve its page on this machine", "erfailover watch"),
        (
            "Watch two sites in one process",
            "erfailover watch --site west.yaml --site north.yaml",
        ),
        ("Send a test to every notification target", "erfailover watch --test-notifications"),
    ),
    "pause": (
        (
            "Keep the watch from switching for two hours",
            'erfailover pause --for 2h --reason "Carrier maintenance"',
        ),
        (
            "The same until erfailover resume",
            'erfailover pause --reason "Firewall upgrade, CHG0012345"',
        ),
    ),
    "resume": (("End a pause, or a lock-out after a failed switch", "erfailover resume"),),
    "approve": (
        ("Show the plan that waits for approval, and approve it", "erfailover approve 7c2e91"),
        ("The same without a prompt", "erfailover approve 7c2e91 --yes"),
    ),
    "verify": (
        ("Run every probe; all are expected up", "erfailover verify"),
        (
            "Run them in a drill, with other expectations",
            "erfailover verify --expect office=down,internet=up",
        ),
        (
            "List the probes with unexpected results",
            "erfailover verify --query '[?!as_expected].name'",
        ),
    ),
    "destroy": (
        ("Show what would be deleted, and what is kept", "erfailover destroy --dry-run"),
        ("Delete what provision created, after a prompt", "erfailover destroy"),
    ),
    "demo": (
        ("Run the end-to-end demo on a temporary lab (some minutes)", "erfailover demo"),
        ("The same with real packets and routers (Linux)", "erfailover demo --data-plane linux"),
        ("Keep the lab afterwards, to explore it", "erfailover demo --keep"),
    ),
    "version": (
        ("Show the versions, for a bug report", "erfailover version"),
        (
            "Print the version of one package",
            "erfailover version --query 'packages.\"azure-core\"' -o tsv",
        ),
    ),
    "schema": (
        ("List the schemas", "erfailover schema"),
        (
            "Save the schema of the site file, for editors",
            "erfailover schema site > erfailover.schema.json",
        ),
    ),
    "completion": (
        ("bash: add this line to ~/.bashrc", 'eval "$(erfailover completion bash)"'),
        ("zsh: add this line to ~/.zshrc, after compinit", 'eval "$(erfailover completion zsh)"'),
        (
            "fish: run this once",
            "erfailover completion fish > ~/.config/fish/completions/erfailover.fish",
        ),
        (
            "PowerShell: add this line to $PROFILE",
            "erfailover completion powershell | Out-String | Invoke-Expression",
        ),
    ),
    "help": (
        ("List all commands", "erfailover help"),
        ("Show the help of one command", "erfailover help drill start"),
    ),
}
