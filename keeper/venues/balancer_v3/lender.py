"""Balancer v3's vault as the story knows a lender: a rescue of an account that can be called back.

The account opens the vault and is called back with calls of its own: borrow, repay, take out, sell, give back. What
they may take is approved before, in the outer half; so that half alone moves nothing, and the inner one finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from keeper.core.lending.loan_fees import LoanFee
from keeper.core.lending.moves import ByLoan, Flash, Repay, Swap, Withdraw
from keeper.core.reasons import Reason
from keeper.core.units import Address, Amount, Bps
from keeper.venues.balancer_v3.calls import encode_loan, encode_return, encode_unlock
from keeper.venues.balancer_v3.effects import vault_decoder
from keeper.venues.balancer_v3.vault import discover_faults, reserves_probe
from keeper.venues.contracts.flash_fee import NOTHING, fee_probe
from keeper.venues.effects import Call, Decoder
from keeper.venues.ports import Borrower, Discovery, Exchange, LendingMarket, Probe


@dataclass(frozen=True, slots=True)
class Vault:
    """The vault of one table."""

    name: str
    vault: Address
    most_fee: Bps = Bps(0)  # noqa: RUF009 - a number

    refusals: ClassVar[Mapping[str, Reason]] = {
        "BalanceNotSettled": Reason.LENDER_REFUSED,
        "VaultPaused": Reason.LENDER_REFUSED,
    }
    spender: ClassVar[None] = None
    calls_back: ClassVar[bool] = True

    def agent(self, market: LendingMarket) -> None:
        """Return nobody: the account acts itself."""
        del market

    @property
    def paid_by_wallet(self) -> tuple[Address, ...]:
        """The vault."""
        return (self.vault,)

    @property
    def hands(self) -> tuple[Address, ...]:
        """The vault: what comes to it beyond its loan is lost to the owner."""
        return (self.vault,)

    def serves(self, market: LendingMarket) -> bool:
        """Return true: the account speaks to the market itself, whichever it is."""
        del market
        return True

    def held_to_raise(self, market: LendingMarket) -> int:
        """Nobody borrows in the owner's name: the account does it by calls of its own."""
        del market
        return 0

    def find_faults(self) -> Discovery[tuple[str, ...]]:
        """Find whether the address is no vault."""
        return (yield from discover_faults(self.vault))

    def there_probe(self, assets: Sequence[Address]) -> Probe[dict[Address, Amount]]:
        """Return the probe of its reserves: it lends all of them."""
        return reserves_probe(self.vault, assets)

    def fee_probe(self, assets: Sequence[Address]) -> Probe[dict[Address, LoanFee]]:
        """Return the probe of what it says it asks: Balancer's own asks nothing."""
        return fee_probe(self.vault, assets) if self.most_fee else NOTHING

    def encode(
        self,
        flash: ByLoan,
        market: LendingMarket,
        exchanges: Mapping[str, Exchange],
        borrower: Borrower,
        deadline: int,
        purpose: str,
    ) -> Call:
        """Return the call that opens the vault, with what the account is called back with.

        Debt that shrank meanwhile leaves a rest of the loan in the wallet: what is given back is bought.
        """
        if not isinstance(flash, Flash) or flash.then:
            raise ValueError(f"{self.name} lends once in one call, and for no boost")
        position, account = borrower.position, borrower.account
        sold, owed, amount = flash.route.tokens[0], flash.route.tokens[-1], flash.bought
        symbols = market.listing(sold).symbol, market.listing(owed).symbol
        repay = Repay(owed, amount, is_all=amount > position.holding(owed).borrowed)
        inner = (
            encode_loan(self.vault, owed, amount, account),
            market.encode(repay, position, account),
            market.encode(Withdraw(sold, flash.sold), position, account),
            *(
                call
                for part in flash.parts
                for call in exchanges[part.route.exchange].encode(
                    Swap(part.route, part.sold, part.bought), account, deadline, symbols
                )
            ),
            *encode_return(self.vault, owed, flash.due),
        )
        return encode_unlock(self.vault, borrower.call_back(inner), purpose)

    def decoders(
        self, market: LendingMarket, exchanges: Iterable[Exchange], account: Address
    ) -> Mapping[Address, Decoder]:
        """Return what an account's calls to the vault do."""
        del market, exchanges
        return {self.vault: vault_decoder(self.vault, account, self.most_fee)}
