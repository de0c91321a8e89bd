"""The commands of ``keeper``. Exit codes: 0 fine, 1 failed, 2 bad settings, 3 in danger and could not be helped.

Each command imports what it needs when it is called, so that ``--help``, ``--version`` and ``check`` are quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keeper.cli.backtesting import backtest
from keeper.cli.common import (
    DEFAULT,
    EXIT_CODES,
    Config,
    Configs,
    Exit,
    Json,
    Limit,
    Live,
    Verbose,
    finish,
    loading,
    log_to_stderr,
    out,
    warn_if_live,
)
from keeper.cli.completing import names, rules, subjects
from keeper.cli.given import kept_of, settings_of
from keeper.cli.keystore import keystore
from keeper.cli.tx import tx
from keeper.cli.version import version

Everything = Annotated[bool, typer.Option("--all", help="Everything in this settings file.")]
OfPosition = Annotated[
    str | None, typer.Option("--position", "-p", help="A position or book, by name.", autocompletion=subjects)
]
Named = Annotated[
    str | None,
    typer.Argument(help="A position, book or rule, by its name; instead of an option.", autocompletion=names),
]
OfRule = Annotated[str | None, typer.Option("--rule", "-r", help="A rule, by name.", autocompletion=rules)]

Web = Annotated[bool, typer.Option("--web", help="Serve the page as well, on this machine alone; shows its link once.")]

Asks = Annotated[
    bool,
    typer.Option("--prompt", help="Ask at this terminal before each transaction; shows bytes for a hardware wallet."),
]

app = typer.Typer(
    name="keeper",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Keeps leveraged on-chain positions alive: watches, decides, rehearses, signs, and explains itself.\n\n"
    "Nothing is ever sent without [bold]--live[/bold]. Begin with `keeper check`, then `keeper status`, then "
    "`keeper run`.\n\nExit codes: " + ", ".join(f"{code.value} {words}" for code, words in EXIT_CODES.items()) + ".",
)
app.add_typer(tx, name="tx")
app.add_typer(keystore, name="keystore")
app.command()(backtest)


@app.callback(invoke_without_command=True)
def _root(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if show_version:
        typer.echo(version())
        raise typer.Exit


@app.command()
def example() -> None:
    """Print a settings file to begin with, every key explained: keeper example > keeper.toml.

    Example: keeper example > keeper.toml
    """
    from keeper import resources

    typer.echo(resources.example(), nl=False)


@app.command()
def schema() -> None:
    """Print the settings file's JSON Schema, for editors that complete and check.

    With `#:schema ./keeper.schema.json` as its first line a settings file is checked while it is written.

    Example: keeper schema > keeper.schema.json
    """
    import json

    from keeper.settings.for_editors import json_schema

    typer.echo(json.dumps(json_schema(), indent=1))


@app.command()
def init(
    owner: Annotated[str, typer.Argument(help="Whose positions: an address, or a name of ENS.")],
    rpc: Annotated[
        str, typer.Option("--rpc", help="Your node's address. Left out, KEEPER_RPC_URL is asked and not written down.")
    ] = "",
    network: Annotated[
        str, typer.Option("--network", help="A network that ships, or a network file. [default: by the node's chain]")
    ] = "",
    signer: Annotated[
        str, typer.Option("--signer", help="Who will sign: the owner's address, or another that holds rescue funds.")
    ] = "",
    file: Annotated[Path, typer.Option("--out", "-o", help="The file to write.")] = DEFAULT,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Find an owner's positions on a chain, and write settings for them: needs no key, sends nothing.

    Each position gets a warning before liquidation and a rescue, fitted to where it stands and how its prices moved.

    Example: keeper init 0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC --rpc https://node.example
    """
    from keeper.cli.init import Wish
    from keeper.cli.init import init as begin

    log_to_stderr(verbose=False)
    finish(begin(Wish(owner, rpc, network, signer, file, force, as_json)))


@app.command()
def check(configs: Configs = None, as_json: Json = False) -> None:
    """Check the settings, and what they name on this machine: no node is asked, no key is opened.

    Example: keeper check -c mainnet.toml
    """
    from keeper.cli.check import check_all

    finish(check_all(kept_of(configs, may_ask=False), as_json=as_json))


@app.command()
def run(
    configs: Configs = None, live: Live = False, web: Web = False, asks: Asks = False, verbose: Verbose = False
) -> None:
    """Watch and keep the positions until stopped (SIGTERM or Ctrl-C finishes what is in flight first).

    Several --config are several chains, side by side: what happens to one does not hold up another.

    Example: keeper run -c mainnet.toml -c arbitrum.toml --web
    """
    with loading():
        chains = kept_of(configs)
        from keeper.cli import keeping

    log_to_stderr(verbose=verbose)
    warn_if_live(live=live)
    keeping.run(chains, live=live, web=web, asks=asks)


@app.command()
def watch(
    configs: Configs = None,
    once: Annotated[
        bool, typer.Option("--once", help="Print it once, and end: 1 where a chain is not watched.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show positions, what the keeper does and why not, transactions and prices: live, in the terminal.

    From the journal and the settings alone: it asks no node, opens no key and sends nothing. Ctrl-C ends it.

    Example: keeper watch --once
    """
    chains = kept_of(configs, may_ask=False)
    from keeper.cli.guard import guarded
    from keeper.cli.watch import watch as look

    finish(guarded(lambda: look(chains, once=once, as_json=as_json)))


@app.command()
def alive(
    configs: Configs = None,
    within: Annotated[
        str | None,
        typer.Option("--within", help='How old the last judged block may be, like "5m". [default: by the chain]'),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say whether a keeper judged a block just now: exit 0, or 1. For health checks; asks the journal alone.

    Example: keeper alive --within 5m
    """
    chains = kept_of(configs, may_ask=False)
    from keeper.cli.alive import alive as look

    finish(look(chains, within, as_json=as_json))


@app.command()
def web(
    configs: Configs = None,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Instead of the settings' own.")] = None,
    opens: Annotated[bool, typer.Option("--open", help="Open it in a browser, where there is one.")] = False,
) -> None:
    """Serve the page: positions, figures over time, decisions, transactions. Reads the journal and the settings alone.

    For this machine only, with a token. What a keeper sees is written into the journal every ten seconds or so; beside
    the daemon itself (`keeper run --web`) the page is at every block.

    Example: keeper web --open
    """
    chains = kept_of(configs, may_ask=False)
    from keeper.cli import web as page

    page.web(chains, port, opens=opens)


@app.command()
def once(
    configs: Configs = None, live: Live = False, asks: Asks = False, as_json: Json = False, verbose: Verbose = False
) -> None:
    """Judge the newest block once, act if a rule asks for it, wait for the outcome, and end.

    Example: keeper once --json
    """
    chains = kept_of(configs)
    from keeper.cli import keeping

    log_to_stderr(verbose=verbose)
    warn_if_live(live=live)
    keeping.once(chains, live=live, as_json=as_json, asks=asks)


@app.command()
def status(configs: Configs = None, as_json: Json = False) -> None:
    """Show the positions as they are now: health, prices, distance to liquidation, rules, wallets.

    Example: keeper status --json
    """
    chains = kept_of(configs)
    from keeper.cli import looks

    log_to_stderr(verbose=False)
    looks.status(chains, as_json=as_json)


@app.command()
def explain(
    position: Annotated[
        str, typer.Argument(help="The position's or book's name in the settings.", autocompletion=subjects)
    ],
    config: Config = DEFAULT,
    as_json: Json = False,
) -> None:
    """Explain what would be done about a position or a book now, and why, down to the calldata. Signs nothing.

    Example: keeper explain eth-loop
    """
    (settings,) = kept_of([config])
    from keeper.cli import looks

    log_to_stderr(verbose=False)
    looks.explain(settings, position, as_json=as_json)


@app.command()
def risk(
    position: Annotated[
        str | None,
        typer.Argument(
            help="A position's or a book's name in the settings; left out: all of them.", autocompletion=subjects
        ),
    ] = None,
    configs: Configs = None,
    horizon: Annotated[
        list[str] | None, typer.Option("--horizon", help='How far to look, like "24h"; several may be given.')
    ] = None,
    prices: Annotated[
        list[str] | None,
        typer.Option("--prices", help="SYMBOL=FILE: bars of an asset (CSV, Binance, CryptoDataDownload, freqtrade)."),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write the whole report as one page.")] = None,
    reproduce: Annotated[
        Path | None, typer.Option("--reproduce", help="Recompute a report that was written, offline; asks no node.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure how probable liquidation is, what is at stake, and what a fall would cost.

    How prices moved comes from the oracles' own past rounds. They are read once, kept in the journal, and what is
    missing is filled in; where an oracle is young, `--prices WETH=eth.csv` gives a file instead. Nothing is signed.

    `keeper risk` shows every position, and all of them together; `-c` once for each chain takes all chains into one.
    `keeper risk eth-loop --html report.html` writes a page with charts, definitions and sources, and
    `keeper risk --reproduce report.html` recomputes it from its inputs: whoever has the file can check it.

    Example: keeper risk eth-loop --horizon 24h --horizon 7d
    """
    if reproduce is not None:
        from keeper.cli.risk import reproduce as again

        again(reproduce, as_json=as_json, html=html)
    from keeper.cli.horizons import horizons_of

    horizons_s = horizons_of(horizon or [])
    chains = kept_of(configs)
    from keeper.cli import risk as risks

    log_to_stderr(verbose=False)
    risks.risk(chains, position, horizons_s, prices or [], as_json=as_json, html=html)


@app.command()
def journal(
    config: Config = DEFAULT,
    limit: Limit = 20,
    position: Annotated[str | None, typer.Option("--position", "-p", help="Only this position.")] = None,
    as_json: Json = False,
) -> None:
    """Show what was decided, sent and achieved, newest first. Asks no node.

    Example: keeper journal --position eth-loop --limit 50
    """
    settings = settings_of(config)
    from keeper.cli import show_journal
    from keeper.cli.guard import guarded
    from keeper.service.journal_file import remembered

    async def work() -> Exit:
        async with await remembered(settings) as memory:
            await show_journal.journal(out(), memory, limit, position, as_json=as_json)
        return Exit.FINE

    finish(guarded(work))


@app.command()
def pause(
    name: Named = None,
    config: Config = DEFAULT,
    everything: Everything = False,
    position: OfPosition = None,
    rule: OfRule = None,
    how_long: Annotated[
        str | None, typer.Option("--for", help='How long, like "2h" or "1d"; left out, until `keeper resume`.')
    ] = None,
    as_json: Json = False,
) -> None:
    """Keep a rule, a position or everything from acting: nothing of it is signed; alerts go on. Outlives a restart.

    A running keeper heeds it before it acts next. What is sent and not begun is taken back; what has begun is finished.

    Example: keeper pause eth-loop --for 2h
    """
    settings = settings_of(config)
    from keeper.cli import pausing

    pausing.pause(
        settings, pausing.meant(settings, position, rule, name, everything=everything), how_long, as_json=as_json
    )


@app.command()
def resume(
    name: Named = None,
    config: Config = DEFAULT,
    everything: Everything = False,
    position: OfPosition = None,
    rule: OfRule = None,
    as_json: Json = False,
) -> None:
    """End a pause; --all ends every one.

    Example: keeper resume eth-loop
    """
    settings = settings_of(config)
    from keeper.cli import pausing

    pausing.resume(settings, pausing.meant(settings, position, rule, name, everything=everything), as_json=as_json)


@app.command()
def reload(config: Config = DEFAULT, as_json: Json = False) -> None:
    """Have a running keeper read its settings anew: all of it or nothing, between two blocks. Shows what differs.

    What is signed and on its way goes on. Who owns, who signs, the chain and the journal need a restart. SIGHUP does it
    too.

    Example: keeper reload -c mainnet.toml
    """
    settings = settings_of(config)
    from keeper.cli import reload as reloads

    reloads.reload(settings, as_json=as_json)


@app.command()
def panic(
    positions: Annotated[
        list[str] | None, typer.Argument(help="Positions, by name.", show_default=False, autocompletion=subjects)
    ] = None,
    config: Config = DEFAULT,
    everything: Everything = False,
    live: Live = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask for no confirmation.")] = False,
    off: Annotated[bool, typer.Option("--off", help="Call off what was ordered and is not done.")] = False,
    as_json: Json = False,
) -> None:
    """Close or deleverage positions now, as the settings declare; without --live only show it.

    Goes through the same rehearsal, limits and gate as any rule. The other rules of these positions are paused.

    Example: keeper panic eth-loop --live
    """
    (settings,) = kept_of([config])
    from keeper.cli import panic as panics

    if off:
        panics.call_off(settings)
    chosen = panics.meant(settings, positions or (), everything=everything)
    warn_if_live(live=live)
    log_to_stderr(verbose=False)
    panics.panic(settings, chosen, live=live, is_sure=yes, as_json=as_json)


@app.command()
def doctor(
    config: Config = DEFAULT,
    send_test: Annotated[bool, typer.Option("--send-test", help="Send a test to every alarm address as well.")] = False,
    as_json: Json = False,
) -> None:
    """Look whether everything is there that a rescue will need: node, keys, gas money, rules, alarms.

    Opens each signer's key, with its password, and signs nothing.

    Example: keeper doctor --send-test
    """
    (settings,) = kept_of([config])
    from keeper.cli import looks

    log_to_stderr(verbose=False)
    looks.doctor(settings, send_test=send_test, as_json=as_json)
