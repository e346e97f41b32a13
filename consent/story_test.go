package consent_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"vitalog/consent"
	"vitalog/key"
)

// A story is a text of given grants and erased entries, and of requests with their decisions:
//
//	grant 7 hospital read [0,9) from 10 until 20 uses 3 used 2 parent 1 revoked
//	erased [4,5)
//	kept hospital [4,5) until 20      ->  [4,5) until 20
//	keeps hospital [4,5) at 19        ->  yes
//	hospital read [0,3) at 12 grant 7  ->  allowed under 7
//	within 7 1  ->  yes
//
// A new "given" line forgets what stood before it. Times are plain numbers, [2,-) has no end.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			var grants []consent.Grant
			var erased []consent.Range
			var kept []consent.Kept
			for i, line := range strings.Split(string(b), "\n") {
				line, _, _ = strings.Cut(line, "#")
				do, want, _ := strings.Cut(line, "->")
				w := words{t, strings.Fields(do)}
				if len(w.list) == 0 {
					continue
				}
				var got string
				switch w.list[0] {
				case "given":
					grants, erased, kept = nil, nil, nil
				case "grant":
					grants = append(grants, w.grant())
				case "erased":
					erased = w.ranges()
				case "kept":
					kept = consent.Keep(kept, actor(w.list[1]), w.ranges(), w.num("until"), w.num("at"))
					if got = told(kept); !consent.OrderedKept(kept) {
						t.Errorf("%s:%d: not in its canonical form: %v", f, i+1, kept)
					}
				case "keeps":
					q := consent.Request{Key: actor(w.list[1]), Grant: w.num("grant"), Right: consent.Read, Ranges: w.ranges(), Now: w.num("at")}
					got = map[bool]string{true: "yes", false: "no"}[consent.Keeps(kept, q)]
				case "within":
					parent, child := consent.Find(grants, w.at(2)), consent.Find(grants, w.at(1))
					got = map[bool]string{true: "yes", false: "no"}[consent.Within(parent.Terms, child.Terms)]
				default:
					grant, why := consent.Decide(grants, erased, consent.Request{Key: actor(w.list[0]), Grant: w.num("grant"), Right: right(w.list[1]), Ranges: w.ranges(), Now: w.num("at")})
					if got = why.String(); grant != 0 {
						got += fmt.Sprintf(" under %d", grant)
					}
				}
				if want = strings.TrimSpace(want); got != want {
					t.Errorf("%s:%d: %s: got %q", f, i+1, strings.TrimSpace(line), got)
				}
			}
		})
	}
}

type words struct {
	t    *testing.T
	list []string
}

func (w words) at(i int) uint64 {
	n, err := strconv.ParseUint(w.list[i], 10, 64)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// num is the number after a word, or 0.
func (w words) num(name string) uint64 {
	for i := 2; i+1 < len(w.list); i++ {
		if w.list[i] == name {
			return w.at(i + 1)
		}
	}
	return 0
}

func (w words) grant() consent.Grant {
	g := consent.Grant{Entry: w.at(1), Used: uint32(w.num("used")), Revoked: w.list[len(w.list)-1] == "revoked"}
	g.Terms = consent.Terms{Key: actor(w.list[2]), Ranges: w.ranges(), From: w.num("from"), Until: w.num("until"), Uses: uint32(w.num("uses")), Parent: w.num("parent")}
	for _, name := range strings.Split(w.list[3], ",") {
		g.Rights |= right(name)
	}
	return g
}

func (w words) ranges() (out []consent.Range) {
	for _, x := range w.list {
		if !strings.HasPrefix(x, "[") {
			continue
		}
		from, to, _ := strings.Cut(strings.Trim(x, "[)"), ",")
		r := consent.Range{To: consent.Forever}
		r.From = words{w.t, []string{from}}.at(0)
		if to != "-" {
			r.To = words{w.t, []string{to}}.at(0)
		}
		out = append(out, r)
	}
	return out
}

func actor(name string) key.Verifier { return sha256.Sum256([]byte(name)) }

func told(kept []consent.Kept) string {
	var out []string
	for _, x := range kept {
		out = append(out, fmt.Sprintf("[%d,%d) until %d", x.From, x.To, x.Until))
	}
	return strings.Join(out, ", ")
}

func right(name string) consent.Rights {
	return map[string]consent.Rights{"write": consent.Write, "read": consent.Read, "post": consent.Post, "sub-grant": consent.SubGrant, "act-for": consent.ActFor}[name]
}

func TestNumbersOfRightsAndReasonsAreTheOnesOnTheLedger(t *testing.T) {
	for want, r := range map[string]consent.Rights{"write": 1, "read": 2, "post": 4, "sub-grant": 8, "act-for": 16, "read,write": 3, "read,write,post,sub-grant,act-for": consent.AllRights, "nothing": 0} {
		if r.String() != want {
			t.Errorf("rights %d are %q, want %q", r, r, want)
		}
	}
	for n, want := range []string{"allowed", "no such grant", "revoked", "the grant it came from has ended", "not yet valid", "expired", "used up", "entries outside the grant",
		"right not granted", "record erased"} {
		if r := consent.Reason(n); r.String() != want || !r.Valid() {
			t.Errorf("reason %d is %q, want %q", n, r, want)
		}
	}
	if consent.Reason(10).Valid() || consent.Reason(10).String() != "unknown reason" {
		t.Error("reason 10 is valid")
	}
}

func TestOnlyOneFormOfARangeListIsOrdered(t *testing.T) {
	for _, c := range []struct {
		ranges []consent.Range
		want   bool
	}{
		{nil, true},
		{[]consent.Range{{0, 1}}, true},
		{[]consent.Range{{0, 1}, {2, consent.Forever}}, true},
		{[]consent.Range{{0, 1}, {1, 2}}, false}, // touch: [0,2)
		{[]consent.Range{{0, 3}, {2, 5}}, false},
		{[]consent.Range{{2, 3}, {0, 1}}, false},
		{[]consent.Range{{1, 1}}, false},
		{[]consent.Range{{2, 1}}, false},
		{[]consent.Range{{0, 1}, {5, 4}}, false},
	} {
		if got := consent.Ordered(c.ranges); got != c.want {
			t.Errorf("%v: got %v", c.ranges, got)
		}
	}
}
