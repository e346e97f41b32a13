package exchange_test

import (
	"errors"
	"testing"
	"time"

	"vitalog/exchange"
)

func TestRetentionsAreReadStrictly(t *testing.T) {
	for text, want := range map[string]exchange.Retention{"": {}, "1y": {Years: 1}, "10y": {Years: 10}, "99y": {Years: 99}, "1d": {Days: 1}, "36500d": {Days: 36_500}} {
		got, err := exchange.ParseRetention(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%q is %+v, %q, error %v", text, got, got, err)
		}
	}
	for _, text := range []string{"y", "10", "0y", "100y", "0d", "36501d", "-1y", "+1y", "01y", "1.5y", "10 y", " 10y", "10Y", "10m", "1y6d", "99999999999999999999y", "ten years"} {
		if got, err := exchange.ParseRetention(text); !errors.Is(err, exchange.ErrInvalid) {
			t.Errorf("%q is %+v, error %v", text, got, err)
		}
	}
}

func TestWhatIsMadeOnOneDayIsKeptUntilOneMidnight(t *testing.T) {
	for _, c := range []struct{ made, retention, until string }{
		{"2026-11-29T08:00:00Z", "10y", "2036-11-30T00:00:00Z"},
		{"2026-11-29T23:59:59Z", "10y", "2036-11-30T00:00:00Z"},
		{"2026-11-29T00:00:00Z", "10y", "2036-11-29T00:00:00Z"}, // to the moment
		{"2024-02-29T12:00:00Z", "1y", "2025-03-02T00:00:00Z"},  // there is no 29th of February
		{"2026-12-31T12:00:00Z", "30d", "2027-01-31T00:00:00Z"},
	} {
		made, err := time.Parse(time.RFC3339, c.made)
		if err != nil {
			t.Fatal(err)
		}
		r, err := exchange.ParseRetention(c.retention)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Until(made).Format(time.RFC3339); got != c.until {
			t.Errorf("made at %s and kept for %s: until %s, want %s", c.made, c.retention, got, c.until)
		}
	}
}
