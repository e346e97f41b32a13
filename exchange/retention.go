package exchange

import (
	"fmt"
	"strconv"
	"time"
)

// Retention is how long a member that must keep what it wrote keeps its own copy of a record that the patient destroyed, counted from when the
// record was made. The zero value is not at all.
type Retention struct{ Years, Days int }

// The longest retentions: what they end in is within what the ledger takes (op.MaxKeep).
const (
	maxYears = 99
	maxDays  = 36_500
)

// ParseRetention reads "10y" or "3650d". Empty is not at all.
func ParseRetention(s string) (Retention, error) {
	if s == "" {
		return Retention{}, nil
	}
	digits, unit := s[:len(s)-1], s[len(s)-1]
	n, err := strconv.Atoi(digits)
	most := map[byte]int{'y': maxYears, 'd': maxDays}[unit]
	if err != nil || most == 0 || digits != strconv.Itoa(n) {
		return Retention{}, fmt.Errorf("%w: a retention is a number of years or days, like \"10y\" or \"3650d\", not %q", ErrInvalid, s)
	}
	if n < 1 || n > most {
		return Retention{}, fmt.Errorf("%w: a retention has 1 to %d years or 1 to %d days, not %q", ErrInvalid, maxYears, maxDays, s)
	}
	if unit == 'y' {
		return Retention{Years: n}, nil
	}
	return Retention{Days: n}, nil
}

// UnmarshalText is ParseRetention.
func (r *Retention) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRetention(string(b))
	return err
}

// String is what ParseRetention reads.
func (r Retention) String() string {
	switch {
	case r.Years > 0:
		return fmt.Sprint(r.Years, "y")
	case r.Days > 0:
		return fmt.Sprint(r.Days, "d")
	}
	return ""
}

// Until is the moment until which a record is kept that was made at another: the first midnight UTC that isn't too early. So what was made on one
// day is kept until one moment.
func (r Retention) Until(made time.Time) time.Time {
	end := made.UTC().AddDate(r.Years, 0, r.Days)
	day := end.Truncate(24 * time.Hour)
	if day.Before(end) {
		day = day.AddDate(0, 0, 1)
	}
	return day
}
