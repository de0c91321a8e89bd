"""`make survival`: does the keeper outlive the market? In lockstep: a block comes when it has judged the last."""
