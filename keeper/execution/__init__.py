"""The only code that can spend: encode, check against the policy, rehearse, sign, send, verify."""
