"""What every feature uses: ids, money, periods, errors, the clock, Postgres and Redis. It imports no feature."""
