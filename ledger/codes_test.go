package ledger_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"vitalog/ledger"
)

func TestCodesAreThoseOfTheSpec(t *testing.T) {
	f, err := os.Open("../spec/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	next, in := ledger.OK, false
	for s := bufio.NewScanner(f); s.Scan(); {
		if strings.HasPrefix(s.Text(), "## ") {
			in = s.Text() == "## Codes"
		}
		cells := strings.Split(s.Text(), " | ")
		if !in || len(cells) != 3 || cells[0] == "| code" {
			continue
		}
		if want := fmt.Sprintf("| %d | %s", uint32(next), next); cells[0]+" | "+cells[1] != want {
			t.Errorf("the spec says %q, the program %q", cells[0]+" | "+cells[1], want)
		}
		next++
	}
	if next != ledger.NamedBefore+1 || !strings.HasPrefix(next.String(), "code ") {
		t.Errorf("the spec ends at %d", next)
	}
}

func TestAResultIsAnErrorOfItsCode(t *testing.T) {
	if err := (&ledger.Result{}).Err(); err != nil {
		t.Errorf("ok is %v", err)
	}
	err := (&ledger.Result{Code: ledger.StaleEpoch, Detail: "1, want 2"}).Err()
	if !errors.Is(err, ledger.StaleEpoch) || errors.Is(err, ledger.Quota) || err.Error() != "stale epoch: 1, want 2" {
		t.Errorf("got %v", err)
	}
}
