"""The same engine over a history of prices: what an account would have lived through, and what keeping it would cost.

Nothing here judges, plans or decides: that is ``engine``, with fakes behind its ports.

    course     what oracle and pools said, block by block, from bars
    standing   one account on paper: what calls do to it, what interest and liquidators do
    market     the paper venue: its model, and calls that are read back into effects
    reader, rehearser, lane, journal     the fakes
    play       one account through one course
    figures    what came of it
"""
