"""Recompute a report of `keeper risk --json` without the keeper: numpy alone, and formulas anybody can look up.

    python recompute.py report.json [paths, usually 200000]

Each line is a figure, what the file says, what comes out here, and whether that is the same. What is plain arithmetic
must be equal to nine digits (money: to a dollar's millionth of what is held); what is a probability is simulated here
by paths of its own, and must be equal within four deviations of them and what the last column allows.
"""

import hashlib
import json
import math
import sys
from statistics import NormalDist

import numpy as np

YEAR, DAY, HOUR, WAD = 365 * 86_400, 86_400, 3_600, 10**18
PATHS, SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 200_000, 20_260_101
RARE = 10 / PATHS  # what so few paths cannot see
THEIRS = 16_384  # the paths that the report itself draws of several prices


# --- prices: volatility, jumps, correlation --------------------------------------------------------------------------


def until(source, now, back=30 * DAY):
    """What counts of a history: 30 days, and the price that held when they began."""
    ticks = [(t, int(p)) for t, p in source["prices"] if t <= now]
    first = max([i for i, (t, _) in enumerate(ticks) if t <= now - back], default=0)
    times, prices = zip(*ticks[first:], strict=True)
    return np.array(times, float), np.log(np.array(prices, float))


def is_dollar(logs):
    return bool(np.all(np.abs(np.exp(logs) / 1e8 - 1) <= 0.05))


def realised(times, logs, window, now):
    """The root of the squared moves of a window over its time (Andersen & Bollerslev 1998)."""
    first = max(0, np.searchsorted(times, now - window, "right") - 1)
    t, x = times[first:], logs[first:]
    if times[0] > now - window or len(x) < 9 or np.ptp(x) == 0:
        return None
    return math.sqrt(np.sum(np.diff(x) ** 2) * YEAR / (now - max(t[0], now - window)))


def volatility(times, logs, now):
    """The larger of a mean that halves every day (RiskMetrics 1996) and that of the week."""
    if is_dollar(logs):
        return max(0.01, math.sqrt(np.sum(np.diff(logs) ** 2) * YEAR / (now - times[0])))
    weights = 0.5 ** ((now - times[1:]) / DAY)
    spent = np.sum(weights * np.diff(times)) + now - times[-1]
    recent = math.sqrt(np.sum(weights * np.diff(logs) ** 2) / spent * YEAR)
    return max(recent, realised(times, logs, 7 * DAY, now) or 0.0)


def hourly(times, logs, now):
    """The price that held at each hour, back from now."""
    at = np.arange(now, times[0] - 1, -HOUR)[::-1]
    return logs[np.searchsorted(times, at, "right") - 1]


def restless(times, logs, now):
    """How much the volatility itself changes in a day: the deviation of its logarithm (Corsi et al. 2008)."""
    if is_dollar(logs):
        return 0.0
    ends = [now - i * DAY for i in range(14)]
    days = [realised(times[times <= end], logs[times <= end], DAY, end) for end in ends]
    known = [v for v in reversed(days) if v]
    if len(known) < 10:
        return 0.35
    return min(1.0, float(np.std(np.diff(np.log(known)), ddof=1)))


def jumps(times, logs, now):
    """Lee & Mykland (2008): moves beyond what 78 before them explain. Rate, share up, mean sizes, the rest."""
    moves = np.diff(hourly(times, logs, now))
    if is_dollar(logs) or len(moves) < 156:
        return None
    n, c = len(moves) - 78, math.sqrt(2 / math.pi)
    root = math.sqrt(2 * math.log(n))
    bound = root / c - (math.log(math.pi) + math.log(math.log(n))) / (2 * c * root)
    bound -= math.log(-math.log(0.99)) / (c * root)
    products = np.concatenate([[0.0], np.cumsum(np.abs(moves[1:]) * np.abs(moves[:-1]))])
    usual = [math.sqrt(max(0.0, products[i - 1] - products[i - 77]) / 76) for i in range(78, len(moves))]
    found = np.array([i for i, u in enumerate(usual, 78) if u > 0 and abs(moves[i]) > bound * u], int)
    if len(found) < 3:
        return None
    ups, downs = moves[found][moves[found] > 0], -moves[found][moves[found] < 0]
    mean = (ups.sum() + downs.sum()) / len(found)
    rest = np.delete(moves, found)
    return {
        "rate": len(found) * YEAR / (HOUR * n),
        "share_up": len(ups) / len(found),
        "up": ups.mean() if len(ups) else mean,
        "down": downs.mean() if len(downs) else mean,
        "diffusion": math.sqrt(np.sum(rest**2) * YEAR / (HOUR * len(rest))),
    }


def correlation(histories, now):
    """Hourly moves weighed by a half-life of a week, shrunk (Schäfer & Strimmer 2005); dollar coins with nothing."""
    names = sorted(n for n, (t, x) in histories.items() if not is_dollar(x))
    levels = {n: hourly(*histories[n], now) for n in names}
    count = min((len(x) for x in levels.values()), default=1) - 1
    weights = 0.5 ** ((count - 1 - np.arange(count)) * HOUR / (7 * DAY))
    weights /= weights.sum()
    units = {}
    for n in names:
        moves = np.diff(levels[n][-count - 1 :])
        units[n] = moves / math.sqrt(np.sum(weights * moves**2))
    spread, raw, squares, doubts = np.sum(weights**2), {}, 0.0, 0.0
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            products = units[a] * units[b]
            r = np.sum(weights * products)
            raw[a, b] = max(-1.0, min(1.0, r))
            squares += r * r
            doubts += np.sum(weights * (products - r) ** 2) * spread / (1 - spread)
    shrunk = min(1.0, doubts / squares) if squares else 1.0
    return {frozenset(k): r * (1 - shrunk) for k, r in raw.items()}


# --- a position as prices see it -------------------------------------------------------------------------------------


def value(h, key):
    return int(h[key]) * int(h["price"]) / 10 ** h["decimals"]


def of_loan(p):
    """What secures (by its liquidation factor) and what is owed, by asset; and what interest adds a year."""
    held = p["holdings"]
    ups = {h["asset"]: value(h, "supplied") * int(h["liquidation_factor"]) / WAD for h in held if h["is_collateral"]}
    downs = {h["asset"]: value(h, "borrowed") for h in held}
    carry = sum(
        ups.get(h["asset"], 0) / sum(ups.values()) * int(h["supply_rate"]) / WAD
        - downs[h["asset"]] / sum(downs.values()) * int(h["borrow_rate"]) / WAD
        for h in held
    )
    return {a: v for a, v in ups.items() if v}, {a: v for a, v in downs.items() if v}, carry


def of_perp(p):
    """A long's size less what must be kept of it, against what it cost less the margin; a short the other way round."""
    unit, legs = int(p["usd_unit"]), [x for x in p["legs"] if int(x["size"])]
    kinds = [(int(p["maintenance"]) / 10**30, 0.0)]
    if int(p["least_requirement"]):
        kinds.append((0.0, int(p["least_requirement"]) / unit))
    found = []
    for share, least in kinds:
        ups, downs, cash, paid = {}, {}, int(p["margin"]) / unit - least, 0.0
        for x in legs:
            size = abs(int(x["size"])) * int(x["mark_price"]) / int(x["price_scale"]) / unit
            entry, is_long, asset = int(x["entry_notional"]) / unit, int(x["size"]) > 0, x["asset"]
            kept = share * size if p["basis"] == "notional" else 0.0
            side = ups if is_long else downs
            side[asset] = side.get(asset, 0) + (size - kept if is_long else size + kept)
            cash += (-entry if is_long else entry) - (share * entry if p["basis"] == "entry" else 0.0)
            cash -= sum(int(x[k]) for k in ("funding_owed", "borrowing_owed", "closing_cost")) / unit
            paid += size * int(x["funding_rate"]) / WAD
        if int(p["indexed_margin"]):
            x = p["legs"][0]
            worth = int(p["indexed_margin"]) * int(x["mark_price"]) / int(x["price_scale"]) / unit
            ups[x["asset"]] = ups.get(x["asset"], 0) + worth
        (ups if cash >= 0 else downs)["cash"] = abs(cash)
        for a in ups.keys() & downs.keys():
            both = min(ups[a], downs[a])
            ups[a], downs[a] = ups[a] - both, downs[a] - both
        ups, downs = ({a: v for a, v in side.items() if v > 0} for side in (ups, downs))
        drained = sum((downs if "cash" in downs else ups).values())
        found.append((ups, downs, -paid / drained if drained else 0.0))
    return min(found, key=lambda f: sum(f[0].values()) / (sum(f[1].values()) or 1e-300))


# --- probabilities, by paths -----------------------------------------------------------------------------------------


def liquidated(facing, drivers, rows, seconds, dice, changing=0.0):
    """The share of paths on which what secures meets what is owed: every price drawn, bridged between steps.

    Each path has a volatility of its own, lognormal with the deviation ``changing`` (Hull & White 1987).
    """
    ups, downs, carry = facing
    names = sorted({drivers.get(a, "cash") for a in (*ups, *downs)} - {"cash"})
    covariance = np.array([[rows(a, b) for b in names] for a in names])
    up, down = (
        np.array([sum(v for a, v in side.items() if drivers.get(a) == n) for n in names]) for side in (ups, downs)
    )
    up_cash, down_cash = ups.get("cash", 0.0), downs.get("cash", 0.0)
    distance = math.log((up.sum() + up_cash) / (down.sum() + down_cash))
    if distance <= 0:
        return 1.0, 0.0
    steps = 64
    step = seconds / YEAR / steps
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0) * step)
    at, kept, before = np.zeros((len(names), PATHS)), np.ones(PATHS), np.full(PATHS, distance)
    wide = np.exp(changing * dice.standard_normal(PATHS))
    for i in range(steps):
        at += root @ dice.standard_normal((len(names), PATHS)) * wide
        at -= np.diag(covariance)[:, None] * step / 2 * wide**2
        a, b = up[:, None] * np.exp(at), down[:, None] * np.exp(at)
        whole, owed = a.sum(0) + up_cash, b.sum(0) + down_cash
        after = np.log(whole / owed) + carry * step * (i + 1)
        share = a / whole - b / owed
        spread = np.maximum((share * (covariance @ share)).sum(0) * step * wide**2, 1e-300)
        kept *= 1 - np.exp(-2 * np.maximum(before, 0) * np.maximum(after, 0) / spread)
        before = after
    return 1 - kept.mean(), kept.std() / math.sqrt(PATHS)


def jumped(distance, of, is_owed, carry, seconds, dice):
    """The same where the one price also jumps (Kou 2002): drawn jump by jump, bridged between them."""
    if distance <= 0:
        return 1.0, 0.0
    years, count = seconds / YEAR, PATHS
    grown = of["share_up"] / (1 - min(0.9, of["up"])) + (1 - of["share_up"]) / (1 + of["down"]) - 1
    pull = of["diffusion"] ** 2 / 2 + of["rate"] * grown
    drift = carry + pull if is_owed else carry - pull
    at, time, kept, alive = np.full(count, distance), np.zeros(count), np.ones(count), np.ones(count, bool)
    while alive.any():
        n = int(alive.sum())
        gap = dice.exponential(1 / of["rate"], n)
        is_last = time[alive] + gap >= years
        length = np.where(is_last, years - time[alive], gap)
        before, spread = at[alive], np.maximum(of["diffusion"] ** 2 * length, 1e-300)
        after = before + drift * length + np.sqrt(spread) * dice.standard_normal(n)
        left = kept[alive] * np.where(after <= 0, 0, 1 - np.exp(-2 * before * np.maximum(after, 0) / spread))
        up = dice.random(n) < of["share_up"]
        size = np.where(up, dice.exponential(of["up"], n), -dice.exponential(of["down"], n)) * (-1 if is_owed else 1)
        then = np.where(is_last, after, after + size)
        left = np.where(~is_last & (then <= 0), 0, left)
        places = np.flatnonzero(alive)
        at[places], kept[places], time[places] = then, left, time[alive] + length
        alive[places] = ~is_last & (left > 0)
    return 1 - kept.mean(), kept.std() / math.sqrt(count)


# --- the comparison --------------------------------------------------------------------------------------------------


def compared(made):
    """Yield each figure: its name, what the file says, what comes out here, and by how much they may differ."""
    given, said = made["inputs"], made["report"]
    now, drivers = given["block"]["time"], given["drivers"]
    text = json.dumps(given, sort_keys=True, separators=(",", ":"))
    yield "digest of the inputs", said["digest"], hashlib.sha256(text.encode()).hexdigest(), 0
    histories = {n: until(s, now) for n, s in given["sources"].items()}
    sizes = {n: volatility(*h, now) for n, h in histories.items()}
    together = correlation(histories, now)

    def rows(a, b):
        return sizes[a] * sizes[b] * (1.0 if a == b else together.get(frozenset((a, b)), 0.0))

    for name, moved in said["prices"].items():
        if not isinstance(moved["volatility"], dict):
            yield f"{name}: volatility", moved["volatility"], sizes[name], 1e-8 * sizes[name]
            for other, r in moved["correlations"].items():
                if isinstance(r, float):
                    yield f"{name} and {other}: correlation", r, together.get(frozenset((name, other)), 0.0), 1e-8
    leaps = {n: jumps(*h, now) for n, h in histories.items()}
    changing = {n: restless(*h, now) for n, h in histories.items()}
    for p, of in zip([*given["positions"], *given["perps"]], said["positions"], strict=True):
        if "holdings" in p:
            yield from of_loss(p, of, sizes, drivers, rows)
        yield from of_position(p, of, drivers, rows, leaps, changing)


def of_position(p, of, drivers, rows, leaps, changing):
    name, is_loan = p["name"], "holdings" in p
    facing = of_loan(p) if is_loan else of_perp(p)
    ups, downs, carry = facing
    if is_loan:
        yield from of_money(p, of)
    if not downs or not ups:
        return
    weight = {}
    for side, sign in ((ups, 1), (downs, -1)):
        for a, v in side.items():
            if a != "cash":
                weight[drivers[a]] = weight.get(drivers[a], 0) + sign * v / sum(side.values())
    main = max(weight, key=lambda n: abs(weight[n]) * math.sqrt(rows(n, n)))
    others = [abs(w) * math.sqrt(rows(n, n)) for n, w in weight.items() if n != main]
    is_alone = all(10 * x < abs(weight[main]) * math.sqrt(rows(main, main)) for x in others)
    # with several prices the report draws paths of its own in longer steps, or takes a closed form where that is worse
    rough = 0.0 if len(ups) == len(downs) == 1 else 1.0

    def wide(found):
        return rough * (0.01 + 4 * math.sqrt(found / THEIRS) + 10 / THEIRS)

    dice = np.random.default_rng(SEED)
    for x in of["probability"]:
        if isinstance(x["used"], dict):
            continue
        about = f"{name}: liquidation within {x['horizon_s'] // HOUR} h"
        found, error = liquidated(facing, drivers, rows, x["horizon_s"], dice)
        yield f"{about}, without jumps", x["moving"], found, 4 * error + RARE + wide(found)
        mean, most = liquidated(facing, drivers, rows, x["horizon_s"], dice, changing[main])
        if leaps[main] and is_alone and x["jumping"] is not None:
            straight = math.log(sum(ups.values()) / sum(downs.values()))
            if rough:
                asset = next(a for a in (*ups, *downs) if drivers.get(a) == main)
                straight = alone(ups, downs, {a for a in (*ups, *downs) if drivers.get(a) == drivers[asset]})
            leapt, error = jumped(straight, leaps[main], weight[main] < 0, carry, x["horizon_s"], dice)
            yield f"{about}, with jumps", x["jumping"], leapt, 4 * error + RARE + wide(leapt)
            mean, most = max(mean, leapt), max(most, error)
        yield about, x["used"], mean, 4 * most + RARE + wide(mean)
    for lost, x in zip(of["lost"], of["probability"], strict=True):
        if isinstance(lost["expected_liquidation_usd"], str) and isinstance(x["used"], float):
            expected = int(of["taken_usd"]) * x["used"] / 1e8
            stated = int(lost["expected_liquidation_usd"]) / 1e8
            yield f"{name}: at stake within {lost['horizon_s'] // HOUR} h", stated, expected, 1e-6 + 1e-8 * expected


def alone(ups, downs, moving):
    """How far the one price that matters may move, as a logarithm, until what secures is what is owed."""
    a, c = (sum(v for k, v in side.items() if k in moving) for side in (ups, downs))
    b, d = (sum(v for k, v in side.items() if k not in moving) for side in (ups, downs))
    share = (d - b) / (a - c) if a != c else 0.0
    return abs(math.log(share)) if share > 0 else math.inf


def of_money(p, of):
    """Health now and after falls, by plain arithmetic."""
    held, rate = p["holdings"], int(p["money"][0]) / int(p["money"][1])

    def health(fall):
        up = down = 0.0
        for h in held:
            left = 1.0 if abs(int(h["price"]) * rate / 1e8 - 1) <= 0.05 else 1 - fall
            up += left * value(h, "supplied") * int(h["liquidation_factor"]) / WAD if h["is_collateral"] else 0.0
            down += left * value(h, "borrowed")
        return up / down if down else None

    if of["health_factor"] is not None:
        yield f"{p['name']}: health", int(of["health_factor"]) / WAD, health(0), 1e-6
    for x in of["stress"]:
        for fall in (20, 40, 60):
            if x["shock"] == f"everything but dollars −{fall} %" and x["health_factor"] is not None:
                yield f"{p['name']}: health at −{fall} %", int(x["health_factor"]) / WAD, health(fall / 100), 1e-6


def of_loss(p, of, sizes, drivers, rows):
    """Value at risk (99 %) and shortfall (97.5 %): lognormal with one price that matters, else normal by variance."""
    rate, own = int(p["money"][0]) / int(p["money"][1]) / 1e8, {}
    for h in p["holdings"]:
        driver, held = drivers[h["asset"]], (value(h, "supplied") - value(h, "borrowed")) * rate
        own[driver] = own.get(driver, 0.0) + held
    gross = sum(abs(value(h, "supplied") - value(h, "borrowed")) * rate for h in p["holdings"])
    risks = {n: abs(v) * sizes[n] for n, v in own.items()}
    first, normal = max(risks, key=risks.get), NormalDist()
    is_one = all(20 * r <= risks[first] for n, r in risks.items() if n != first)
    whole = math.sqrt(sum(own[a] * own[b] * rows(a, b) for a in own for b in own))
    for x in of["lost"]:
        years = math.sqrt(x["horizon_s"] / YEAR)
        for key, level in (("value_at_risk_usd", 0.99), ("expected_shortfall_usd", 0.975)):
            z, s = normal.inv_cdf(level), sizes[first] * years
            tail = key[0] == "e"
            if not is_one:
                found = whole * years * (normal.pdf(z) / (1 - level) if tail else z)
            elif own[first] > 0:
                share = 1 - normal.cdf(-z - s) / (1 - level) if tail else 1 - math.exp(-z * s - s * s / 2)
                found = own[first] * share
            else:
                share = normal.cdf(s - z) / (1 - level) - 1 if tail else math.exp(z * s - s * s / 2) - 1
                found = -own[first] * share
            if isinstance(x[key], str):
                found = max(0.0, min(sum(own.values()), found))
                about = f"{p['name']}: {key} within {x['horizon_s'] // HOUR} h"
                yield about, int(x[key]) / 1e8, found, 1e-6 + 1e-8 * gross


def main(path):
    with open(path, encoding="utf-8") as file:
        made = json.load(file)
    wrong = 0
    for name, stated, found, allowed in compared(made):
        is_same = stated == found if isinstance(stated, str) else abs(stated - found) <= allowed
        wrong += not is_same
        shown = (stated[:12], found[:12]) if isinstance(stated, str) else (f"{stated:.9g}", f"{found:.9g}")
        print(f"{'same ' if is_same else 'OTHER'}  {name}: {shown[0]} here {shown[1]} (allowed {allowed:.2g})")
    print(f"{wrong} figures differ" if wrong else "every figure is the same")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
