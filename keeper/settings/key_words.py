"""What each key of the settings means, in a line: for editors that read the schema, and for the reference.

By table, as its model is called. Triggers, targets and actions say it themselves (``Metric.summary``).
"""

from __future__ import annotations

LIMITS = {
    "max_slippage_bps": "What a sale may lose from the oracle's price, in basis points: one, or `usual` and `worst`.",
    "max_spend_per_tx_usd": "What one transaction may move, in dollars; left out: no limit.",
    "max_spend_per_day_usd": "What it may move within 24 hours, in dollars; counts across restarts.",
    "max_fee_gwei": "A fixed limit per gas, whatever is at stake; left out, gas follows the stake.",
    "max_cost_bps": "Of a rule that rearranges: gas and trading, as a share of what is moved.",
}
WORDS: dict[str, dict[str, str]] = {
    "NetworkTable": {
        "file": "A network that ships, like `ethereum`, or the path of a network file.",
        "rpc_url": "Your node's address; `KEEPER_RPC_URL` comes first. Several nodes: `nodes` instead.",
        "private_blocks": "For how many blocks a transaction is shown to private relays alone.",
        "max_lag_blocks": "A node that is so many blocks behind the others is not read from.",
    },
    "NodeTable": {
        "url": "https, http, wss or ws. It may carry a key, and is never shown.",
        "name": "What alarms call it; left out, its host.",
        "roles": "What it is asked for: `read`, `send`, `private`.",
        "method": "How transactions are handed to it, where that is not `eth_sendRawTransaction`.",
        "requests_per_second": "How many requests a second it grants; left out, it is found out.",
    },
    "JournalTable": {
        "url": "A file of SQLite beside the settings, or `postgresql://…`; `KEEPER_JOURNAL_URL` comes first."
    },
    "SignerTable": {
        "name": "What positions call it.",
        "address": "Its account: the owner's, one of a Safe's owners, or a guardian's with rescue funds only.",
        "keystore": "Its encrypted key, version 3 (`keeper keystore new`).",
        "password_file": "The file with the keystore's password; left out, it is asked for.",
        "password_credential": "The password as a systemd credential, by its name.",
        "remote": "A signer that is asked over JSON-RPC for each transaction, in the place of a keystore.",
        "remote_method": "How it is asked: Web3Signer and geth, or Clef.",
        "kms_key": "A key of AWS KMS (ECC_SECG_P256K1), by id, ARN or alias, in the place of a keystore.",
        "kms_region": "Its region; left out, the one of Amazon's own settings.",
        "batch": "Several calls in one transaction: delegates the account to the network's batch contract (EIP-7702).",
        "safe": "The Safe that this key is an owner of and acts for.",
        "savings": "Shares of vaults and aTokens that `top_up` and `repay` may draw on beside the wallet.",
    },
    "PositionTable": {
        "name": "What rules, alarms and commands call it.",
        "owner": "Whose it is: an address, or a name of ENS.",
        "signer": "Who signs for it; left out, it is watched and alerted for, and nothing is signed.",
        "market": "Which market of the venue; needed where a venue has many.",
        "collateral": "Of an isolated perpetual position: what secures it.",
        "side": "Of an isolated perpetual position: `long` or `short`.",
        "table": "Which table of the network file, where a chain has several of one perpetual venue.",
    },
    "BookTable": {
        "name": "What rules call it.",
        "positions": "The positions whose exposure is held together.",
        "hedge": "The perpetual positions that may trade for it; of several the cheapest is taken.",
        "wallets": "Wallets whose balances count: names of signers, or addresses.",
        "follows": 'What an asset follows, where it is not known: `{ XYZETH = "ETH" }`; stablecoins: `USD`.',
        "unwind": "The loan that is sold down when no hedge can be had in time.",
    },
    "NakedTable": {
        "size": "How much delta may stand outside the band, in whole units,",
        "time": "and for how long: what is counted is size × time.",
    },
    "RuleTable": {
        "name": "What alarms, the journal and `keeper pause` call it.",
        "position": "The position it is about.",
        "book": "The book it is about.",
        "restore": "Where it gets to: a target, `close` or `exit`. Not for a rule that only alerts.",
        "actions": "What it may do; of those the cheapest that suffices is done.",
        "cooldown": "How long it rests after its target was reached; of an alert, how often it is said again.",
        "rest": "Also leave a stop order with the venue, which works while the keeper is down.",
        "every": "Instead of `when`: at most once in this time, as soon as the target is not met.",
        "into": "Of a swap: into what; the least volatile of them is taken first.",
        "band": "Of a share: nearer than this to the target nothing is done.",
        "min_trade": "Of a book: the least that is traded; left out, a tenth of the band.",
        "min_margin_ratio": "Of a book: a trade of ours never leaves the hedge with less.",
        "funding_horizon": "Of a book: for how long funding is reckoned when hedges are compared.",
    },
    "LimitsTable": LIMITS,
    "PanicTable": {
        "position": "The position that `keeper panic` closes or deleverages.",
        "restore": "`close`, `exit`, or a target.",
        "actions": "What it may do.",
    },
    "SafetyTable": {
        "health_factor_floor": "No transaction leaves a position below this health factor.",
        "emergency_health_factor": "At or below this no cooldown holds a rescue back.",
        "max_rounds": "Rounds of withdraw, swap and repay in one plan; three times as many in one transaction.",
        "capital_cost_bps": "What tying up your own funds costs, when it is weighed against a sale.",
        "swap_deadline": "A swap that is mined later than this reverts.",
        "fee_share_of_loss_bps": "Gas may cost this share of the loss that a plan averts.",
        "max_fee_gwei": "A fixed limit per gas for all rules; left out: none.",
        "arm_within_bps": "Plans are made ready while prices are within this of a rule that acts; 0: never.",
        "act_on_oracle_events": "A plan made ready may go out on the oracle's own event, before anything is read.",
        "trade_unrehearsed": "Trade by quote and bounds alone where a venue lets no order be tried.",
        "forecaster": "Who says how much prices will move: `usual`, `ewma`, `har`, `garch`, or your own.",
    },
    "BreakerTable": {
        "move": "A price that moves by this share",
        "within": "in this time is no market any more:",
        "pause": "for so long nothing is sold and no leverage added.",
    },
    "ExposureTable": {
        "underlyings_usd": 'The most, in dollars, by what it follows: `{ ETH = "500000" }`.',
        "venues_usd": "The most at one venue, in dollars.",
        "chain_usd": "The most on this chain, in dollars.",
        "leverage": "The most leverage over all positions of this file.",
    },
    "AlertsTable": {
        "urls": "Apprise addresses; `KEEPER_ALERT_URLS` comes first.",
        "repeat": "The same trouble is not said again sooner.",
        "escalate_urls": "What lasts longer than that, or gets worse, goes here as well.",
        "heartbeat_url": "A dead man's switch, called after judged blocks; `KEEPER_HEARTBEAT_URL` comes first.",
        "heartbeat": "How often it is called at most.",
        "summary": "How often you hear how all stands; `0s`: never.",
        "low_gas": "Native currency below which a signer's gas money is low; left out: three rescues' worth.",
    },
    "DaemonTable": {
        "poll": "How often a new block is asked for where none is pushed; left out: a quarter of the block time.",
        "interval": "A cycle this often instead of one each block.",
        "rpc_timeout": "A node that takes longer counts as away.",
        "reads_per_call": "Reads that are joined in one request.",
        "gas_per_call": "About how much gas such a request may take.",
        "bytes_per_call": "About how many bytes, request and answer together.",
        "metrics_port": "Prometheus metrics on this port of 127.0.0.1; left out: none.",
        "confirm": "What is unmined for longer counts as stuck; left out: ten blocks, at least 30 s.",
        "order_patience": "An order that a venue has not carried out by then is late.",
        "confirmations": "Blocks after which a mined transaction is final.",
        "keep_holds_days": "Decisions to do nothing are forgotten after this.",
        "fire_drill": "How often every rescue is rehearsed at the price that would fire it; `0s`: never.",
        "state_dir": "Where locks and tokens are kept; left out: `KEEPER_STATE_DIR`, else the user's state directory.",
    },
    "WebTable": {
        "port": "The page's port on 127.0.0.1.",
        "names": "Names besides 127.0.0.1 and localhost that a browser may call it by.",
        "token_file": "The page's token; made where it is missing.",
        "control_token_file": "A second token, yours: with it the page can change something; left out: it only shows.",
    },
    "TelegramTable": {
        "token_file": "The file with the bot's token, yours alone; or set `KEEPER_TELEGRAM_TOKEN`.",
        "chats": "Whose messages are answered, by number; nobody else is.",
        "control": "Whether they may pause, resume and, once confirmed, panic; left out, they may look.",
        "api": "Where Telegram's API is; for a server of your own.",
    },
}
"""By table and key."""
