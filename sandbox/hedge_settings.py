"""What the keeper of `make demo SCENARIO=hedge` is told: a hedged book, and the same loop once more without a hedge."""

LOOP, SHORT, BOOK, TWIN = "eth-loop", "short", "eth", "twin-loop"
BAND = "0.5"
MARGIN_BELOW, MARGIN_TARGET = "0.12", "0.20"

SETTINGS = """\
[network]
file = "network.toml"
rpc_url = "{url}"

[journal]
url = "keeper.sqlite"

[[signers]]
name = "owner"
address = "{owner}"
keystore = "owner.json"
password_file = "password"
batch = {batch}

[[signers]]
name = "twin"
address = "{twin}"
keystore = "twin.json"
password_file = "password"
batch = {batch}

# --- the book: a loop, its short, and what is in the wallet ---

[[positions]]
name = "{LOOP}"
venue = "aave_v3"
owner = "{owner}"
signer = "owner"

[[positions]]
name = "{SHORT}"
venue = "perp_v2"
owner = "{owner}"
signer = "owner"
market = "ETH"

[[books]]
name = "{BOOK}"
positions = ["{LOOP}"]
hedge = ["{SHORT}"]
wallets = ["owner"]
naked_budget = {{ size = "5", time = "30m" }}

[[rules]]
name = "delta"
book = "{BOOK}"
when = {{ delta_outside = {{ underlying = "ETH", band = "{BAND}" }} }}
restore = {{ delta = "0" }}
actions = ["hedge", "add_margin"]
min_trade = "0.05"
cooldown = "1m"
[rules.limits]
max_slippage_bps = 150
max_fee_gwei = 200

[[rules]]
name = "margin"
position = "{SHORT}"
when = {{ margin_ratio_below = "{MARGIN_BELOW}" }}
restore = {{ margin_ratio = "{MARGIN_TARGET}" }}
actions = ["add_margin", "reduce"]
cooldown = "3m"
[rules.limits]
max_slippage_bps = 150
max_fee_gwei = 200

[[rules]]
name = "protect"
position = "{LOOP}"
when = {{ health_factor_below = "1.30" }}
restore = {{ health_factor = "1.55" }}
actions = ["deleverage"]
cooldown = "3m"
[rules.limits]
max_slippage_bps = 50
max_fee_gwei = 200

# --- the twin: the same loop and the same rule for it, no hedge ---

[[positions]]
name = "{TWIN}"
venue = "aave_v3"
owner = "{twin}"
signer = "twin"

[[rules]]
name = "protect-twin"
position = "{TWIN}"
when = {{ health_factor_below = "1.30" }}
restore = {{ health_factor = "1.55" }}
actions = ["deleverage"]
cooldown = "3m"
[rules.limits]
max_slippage_bps = 50
max_fee_gwei = 200

[safety]
swap_deadline = "{deadline}"

[daemon]
poll = "{poll}ms"
state_dir = "state"
"""

NAMES = {
    "LOOP": LOOP,
    "SHORT": SHORT,
    "BOOK": BOOK,
    "TWIN": TWIN,
    "BAND": BAND,
    "MARGIN_BELOW": MARGIN_BELOW,
    "MARGIN_TARGET": MARGIN_TARGET,
}
"""What SETTINGS is filled with besides addresses, node and times."""
