package exchange_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/home"
	"vitalog/internal/testnet"
	"vitalog/keyring"
	"vitalog/op"
	"vitalog/section"
)

// world is a running network and a patient with an app of her own, whose home is member 3.
type world struct {
	*testnet.Net
	patient *exchange.Patient
	keys    *keyring.Patient // of the newest patient
	written int
}

const testTime = 4 * time.Minute

// shared is the network of four validators on which all tests of the package run, each with patients of its own. The first that asks founds it.
var (
	shared *testnet.Net
	found  = sync.OnceFunc(func() {
		dir, err := os.MkdirTemp("", "exchange")
		if err == nil {
			shared, err = testnet.Found(dir, 4, 0)
		}
		if err != nil {
			panic(err)
		}
	})
)

func TestMain(m *testing.M) {
	if args := os.Getenv(victim); args != "" {
		if err := live(strings.SplitN(args, " ", 4)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	if shared != nil {
		if err := errors.Join(shared.Close(), os.RemoveAll(shared.Dir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func newWorld() *world {
	found()
	return &world{Net: shared}
}

// newPatient enrols a patient with an own ring, through the home service over HTTP.
func (w *world) newPatient(t testing.TB, ctx context.Context) *exchange.Patient {
	t.Helper()
	ring, err := keyring.CreatePatient(filepath.Join(t.TempDir(), "keyring"), []byte("a patient's passphrase"), "")
	if err != nil {
		t.Fatal(err)
	}
	n := w.Nodes[3]
	if err := ring.Join(n.Genesis.Network()); err != nil {
		t.Fatal(err)
	}
	keys, err := ring.Own()
	if err != nil {
		t.Fatal(err)
	}
	w.keys = keys
	p := exchange.NewPatient(home.Dial(n.Config.URL(), n.Genesis, n.Number, http.DefaultClient), keys)
	if err := p.Enrol(ctx); err != nil {
		t.Fatal(err)
	}
	return p
}

// settle is Settle, or the test's end.
func (w *world) settle(t testing.TB, ctx context.Context) {
	t.Helper()
	if err := w.Settle(ctx); err != nil {
		t.Fatal(err)
	}
}

func asker(purpose string) exchange.Asker {
	return exchange.Asker{Practitioner: "okafor", Name: "Dr. Ada Okafor", Role: "cardiologist", Purpose: purpose, Reason: "follow-up"}
}

// pulse is a draft of one observation.
func (w *world) pulse(t testing.TB) exchange.Draft {
	t.Helper()
	w.written++
	id := fmt.Sprint("pulse-", w.written)
	r, err := fhir.Parse(fmt.Appendf(nil, `{"resourceType":"Observation","id":%q,"status":"final","code":{"text":"pulse"},"valueQuantity":{"value":%d.0,"unit":"/min"}}`, id, 60+w.written))
	if err != nil {
		t.Fatal(err)
	}
	return exchange.Draft{Resource: r, ID: id, Section: section.Vitals, Group: id}
}

// The stories stand in testdata/*.txt, one command a line; see run for the words.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	w := newWorld()
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), testTime)
			defer cancel()
			w.patient = w.newPatient(t, ctx)
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(strings.NewReader(string(b)))
			for n := 1; lines.Scan(); n++ {
				words, _, _ := strings.Cut(lines.Text(), "#")
				if f := strings.Fields(words); len(f) > 0 {
					if err := w.run(t, ctx, f); err != nil {
						t.Fatalf("line %d: %s: %v", n, lines.Text(), err)
					}
				}
			}
		})
	}
}

// run plays one line:
//
//	slow                        skipped by -short
//	grant MEMBER RIGHTS PURPOSE [until=+2s] [uses=N] [entries=FROM-TO]
//	stop MEMBER PURPOSE
//	write MEMBER N              N records of one observation each
//	read MEMBER PURPOSE N       and N records open
//	anew MEMBER PURPOSE N       the same, and each access waited for the ledger
//	again MEMBER PURPOSE N      the same from memory: the access is in the outbox
//	read MEMBER PURPOSE refused REASON…
//	read MEMBER PURPOSE unshared
//	erase ENTRY                 by the patient
//	rows N                      in the patient's log
//	wait-until-clock-passes     the end of the last grant
func (w *world) run(t *testing.T, ctx context.Context, f []string) error {
	number := func(i int) int {
		n, err := strconv.Atoi(f[i])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	switch f[0] {
	case "slow":
		if testing.Short() {
			t.Skip("with the race detector it takes minutes")
		}
		return nil
	case "grant":
		return w.grant(ctx, number(1), f[2], f[3], f[4:])
	case "stop":
		member := number(1)
		ended, err := w.patient.Stop(ctx, func(g exchange.Shared) bool { return g.Member == member && g.Purpose == f[2] })
		if err == nil && len(ended) == 0 {
			err = errors.New("nothing was stopped")
		}
		return err
	case "write":
		w.settle(t, ctx)
		var drafts []exchange.Draft
		for range number(2) {
			drafts = append(drafts, w.pulse(t))
		}
		_, err := w.Nodes[number(1)].Member.Publish(ctx, asker("TREAT"), w.patient.ChartID(), drafts)
		return err
	case "read", "anew", "again":
		w.settle(t, ctx)
		return w.read(ctx, f[0], number(1), f[2], f[3:])
	case "erase":
		body := &op.Block{}
		body.Ranges = []consent.Range{{From: uint64(number(1)), To: uint64(number(1)) + 1}}
		o := op.Sign(w.Nodes[0].Genesis.Network(), w.keys.Owner(section.Vitals), w.keys.Log(section.Vitals), uint64(time.Now().Add(time.Minute).UnixMilli()), body)
		results, err := w.Nodes[3].Chain.Submit(ctx, o)
		if err != nil {
			return err
		}
		return results[0].Err()
	case "rows":
		w.settle(t, ctx) // the patient's home hears of a block when it does
		log, err := w.patient.Activity(ctx)
		if err != nil {
			return err
		}
		if len(log.Rows) != number(1) || !log.Proven {
			return fmt.Errorf("the patient sees %d rows, proven: %v", len(log.Rows), log.Proven)
		}
		return nil
	case "wait-until-clock-passes":
		shared, err := w.patient.Sharing(ctx)
		if err != nil {
			return err
		}
		var until uint64
		for _, g := range shared {
			until = max(until, g.Until)
		}
		timer := time.NewTimer(time.Until(time.UnixMilli(int64(until))) + time.Millisecond)
		defer timer.Stop()
		<-timer.C
		return nil
	}
	return fmt.Errorf("unknown word %q", f[0])
}

func (w *world) grant(ctx context.Context, member int, rights, purpose string, options []string) error {
	s := exchange.Share{Member: member, Purpose: purpose, Sections: []section.Section{section.Vitals}, Label: "story"}
	for r := range strings.SplitSeq(rights, ",") {
		s.Rights |= map[string]consent.Rights{"read": consent.Read, "write": consent.Write}[r]
	}
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		switch name {
		case "until":
			d, err := time.ParseDuration(strings.TrimPrefix(value, "+"))
			if err != nil {
				return err
			}
			s.Until = time.Now().Add(d)
		case "uses":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				return err
			}
			s.Uses = uint32(n)
		case "entries":
			var r consent.Range
			if _, err := fmt.Sscanf(value, "%d-%d", &r.From, &r.To); err != nil {
				return err
			}
			s.Ranges = []consent.Range{r}
		default:
			return fmt.Errorf("unknown option %q", o)
		}
	}
	_, err := w.patient.Grant(ctx, s)
	return err
}

func (w *world) read(ctx context.Context, how string, member int, purpose string, want []string) error {
	opened, err := w.Nodes[member].Member.Open(ctx, asker(purpose), w.patient.ChartID(), exchange.Want{Sections: []section.Section{section.Vitals}})
	if err == nil {
		defer opened.Close()
		for _, row := range opened.Rows {
			if how != "read" && row.InOutbox != (how == "again") {
				return fmt.Errorf("the access is in the outbox: %v", row.InOutbox)
			}
		}
	}
	var refused *exchange.Refused
	switch {
	case want[0] == "unshared":
		if !errors.Is(err, exchange.ErrNotShared) {
			return fmt.Errorf("want it not shared, got %v", err)
		}
	case want[0] == "refused":
		if !errors.As(err, &refused) || refused.Why.String() != strings.Join(want[1:], " ") {
			return fmt.Errorf("want it refused, got %v", err)
		}
		if refused.Block == 0 {
			return fmt.Errorf("refused in no block: %v", err)
		}
	case err != nil:
		return err
	case len(opened.Errors) > 0:
		return errors.Join(opened.Errors...)
	case strconv.Itoa(opened.Chart.Len()) != want[0]:
		return fmt.Errorf("%d records opened", opened.Chart.Len())
	}
	return nil
}

func TestAnotherMemberReadsWhatOneWroteAndThePatientSeesWhoItWas(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := newWorld()
	w.patient = w.newPatient(t, ctx)
	for _, err := range []error{w.grant(ctx, 0, "write", "TREAT", nil), w.grant(ctx, 1, "read", "TREAT", nil)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.settle(t, ctx)
	d := w.pulse(t)
	if _, err := w.Nodes[0].Member.Publish(ctx, asker("TREAT"), w.patient.ChartID(), []exchange.Draft{d}); err != nil {
		t.Fatal(err)
	}
	w.settle(t, ctx)
	w.settle(t, ctx)
	opened, err := w.Nodes[1].Member.Open(ctx, asker("TREAT"), w.patient.ChartID(), exchange.Want{Sections: []section.Section{section.Vitals}})
	if err != nil {
		t.Fatal(err)
	}
	r := opened.Chart.Get("Observation", d.ID)
	if r == nil || string(r.Current().Item.Raw) != string(d.Resource.Raw()) {
		t.Error("the resource is not the one that was written, byte for byte")
	}
	w.settle(t, ctx)
	log, err := w.patient.Activity(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(log.Rows) != 1 {
		t.Fatalf("the patient sees %d rows, want 1", len(log.Rows))
	}
	row := log.Rows[0]
	if row.Member != "Member 1" || row.Detail == nil || row.Detail.Name != "Dr. Ada Okafor" || row.Detail.Reason != "follow-up" || row.Purpose != "TREAT" ||
		row.Section != section.Vitals || row.Records != 1 || row.Why != consent.Allowed || row.Block != opened.Rows[0].Block {
		t.Errorf("the row does not tell who, what and why: %+v", row)
	}
	if !log.Proven || 3*log.Signed <= 2*log.Of {
		t.Errorf("the log is not proven complete: %d of %d signed", log.Signed, log.Of)
	}
}

func TestARequestReachesThePatientAndNobodyElse(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := newWorld()
	p := w.newPatient(t, ctx)
	other := w.newPatient(t, ctx)
	if _, err := w.Nodes[2].Member.Request(ctx, asker("TREAT"), p.Handle(), exchange.Wish{Sections: []section.Section{section.Labs, section.Vitals}, Lasts: 1000, Uses: 2}); err != nil {
		t.Fatal(err)
	}
	w.settle(t, ctx)
	inbox, spam, err := p.Inbox(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(inbox) != 1 || spam != 0 {
		t.Fatalf("%d requests and %d that don't open, want one", len(inbox), spam)
	}
	q := inbox[0]
	if q.Member != 2 || q.Name != "Dr. Ada Okafor" || q.Purpose != "TREAT" || q.Uses != 2 || !slices.Equal(q.Sections, []section.Section{section.Labs, section.Vitals}) {
		t.Errorf("the request is not what was asked: %+v", q.Request)
	}
	if inbox, _, err := other.Inbox(ctx); err != nil || len(inbox) != 0 {
		t.Errorf("somebody else's inbox has %d requests, %v", len(inbox), err)
	}
}
