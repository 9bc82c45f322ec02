"""What every feature stands on: ids, money, periods, errors, the clock, Postgres and Redis. It knows no feature."""
