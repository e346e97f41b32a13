package exchange_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/grant"
	"vitalog/home"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/ledger"
	"vitalog/node"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"
)

// custody is a chart in the custody of member 0, and its card.
type custody struct {
	*world
	chart string
	card  *grant.ClaimCard
}

const custodian = 0

func newCustody(t *testing.T, ctx context.Context, records int) *custody {
	t.Helper()
	c := &custody{world: newWorld()}
	m := c.Nodes[custodian].Member
	var err error
	if c.chart, err = m.Enrol(ctx); err != nil {
		t.Fatal(err)
	}
	c.write(t, ctx, records)
	if c.card, err = m.IssueCard(c.chart); err != nil {
		t.Fatal(err)
	}
	c.settle(t, ctx)
	return c
}

// write has the custodian write records of one observation each.
func (c *custody) write(t *testing.T, ctx context.Context, records int) {
	t.Helper()
	for range records {
		if _, err := c.Nodes[custodian].Member.Publish(ctx, asker(exchange.Treat), c.chart, []exchange.Draft{c.pulse(t)}); err != nil {
			t.Fatal(err)
		}
	}
}

// newKeys are a patient's keys with nothing on the ledger.
func (c *custody) newKeys(t *testing.T, words string) *keyring.Patient {
	t.Helper()
	ring, err := keyring.CreatePatient(filepath.Join(t.TempDir(), "keyring"), []byte("a patient's passphrase"), words)
	if err == nil {
		err = ring.Join(c.Nodes[3].Genesis.Network())
	}
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ring.Own()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// home is a connection to the home member, who is not the custodian.
func (c *custody) home() exchange.Home {
	n := c.Nodes[3]
	return home.Dial(n.Config.URL(), n.Genesis, n.Number, http.DefaultClient)
}

// readings are the vitals that a patient's own keys open.
func (c *custody) readings(t *testing.T, ctx context.Context, p *exchange.Patient) int {
	t.Helper()
	c.settle(t, ctx)
	chart, failed, err := p.Record(ctx, section.Vitals)
	if err := errors.Join(append(failed, err)...); err != nil {
		t.Fatal(err)
	}
	return chart.Len()
}

// opens is how many vitals the custodian opens.
func (c *custody) opens(t *testing.T, ctx context.Context) (int, error) {
	t.Helper()
	c.settle(t, ctx)
	opened, err := c.Nodes[custodian].Member.Open(ctx, asker(exchange.Treat), c.chart, exchange.Want{Sections: []section.Section{section.Vitals}})
	if err != nil {
		return 0, err
	}
	defer opened.Close()
	return opened.Chart.Len(), errors.Join(opened.Errors...)
}

func unheard(exchange.Claiming) {}

func TestAPatientInCustodyClaimsTheChartAndTheCustodianBecomesAGrantee(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	c := newCustody(t, ctx, 3)
	m := c.Nodes[custodian].Member
	keys := c.newKeys(t, "")
	var steps []exchange.Claiming
	p, err := exchange.Claim(ctx, c.home(), keys, c.card, func(x exchange.Claiming) { steps = append(steps, x) })
	if err != nil {
		t.Fatal(err)
	}
	if p.ChartID() != c.chart {
		t.Errorf("the chart is %s, want %s", p.ChartID(), c.chart)
	}
	if last := steps[len(steps)-1]; last != (exchange.Claiming{Done: 3, Of: 3}) {
		t.Errorf("in the end %+v", last)
	}
	if n := c.readings(t, ctx, p); n != 3 {
		t.Errorf("%d old records open for the patient, want 3", n)
	}

	// What is written from now on opens too, and the custodian's grants go on.
	c.settle(t, ctx)
	c.write(t, ctx, 2)
	if n := c.readings(t, ctx, p); n != 5 {
		t.Errorf("%d old and new records open for the patient, want 5", n)
	}
	if n, err := c.opens(t, ctx); n != 5 || err != nil {
		t.Errorf("the custodian opens %d, %v", n, err)
	}

	// The rows name the claim and the purpose; the grants have names.
	log, err := p.Activity(ctx)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, r := range log.Rows {
		if r.Detail != nil && r.Detail.Machine && strings.Contains(r.Detail.Reason, "claims") && r.Purpose == exchange.Treat && r.Records == 3 {
			rows++
		}
		if r.Member != m.Name() || r.Detail == nil {
			t.Errorf("a row without a name or a detail: %+v", r)
		}
	}
	if rows != 1 || !log.Proven {
		t.Errorf("%d rows for the locks, want 1: %+v", rows, log.Rows)
	}

	// The custodian has no power any more.
	if _, err := m.Custody(c.chart); !errors.Is(err, exchange.ErrNotShared) {
		t.Errorf("the custodian still acts as the patient: %v", err)
	}
	if _, err := m.IssueCard(c.chart); !errors.Is(err, exchange.ErrNotShared) {
		t.Errorf("a card for a chart that was claimed: %v", err)
	}
	watched, err := m.Watch(c.chart, exchange.Treat)
	if err != nil || len(watched) == 0 || watched[0].Custody {
		t.Errorf("the root was not forgotten: %+v, %v", watched, err)
	}

	// The words and the ledger bring all of it back.
	words, err := keys.Words()
	if err != nil {
		t.Fatal(err)
	}
	again := c.newKeys(t, words)
	found, err := exchange.Claimed(ctx, c.home(), again)
	if err != nil || found == nil {
		t.Fatalf("with the words: %v, %v", found, err)
	}
	back := exchange.NewPatient(c.home(), again.With(found))
	if n := c.readings(t, ctx, back); n != 5 {
		t.Errorf("%d records open after recovery, want 5", n)
	}

	// The patient stops the custodian: refused from the next read.
	stopped, err := back.Stop(ctx, func(s exchange.Shared) bool { return s.Member == custodian })
	if err != nil || len(stopped) != len(section.Clinical()) {
		t.Fatalf("stopped %d grants: %v", len(stopped), err)
	}
	if _, err := c.opens(t, ctx); !errors.As(err, new(*exchange.Refused)) {
		t.Errorf("the custodian reads after the stop: %v", err)
	}
	if _, err := m.Publish(ctx, asker(exchange.Treat), c.chart, []exchange.Draft{c.pulse(t)}); !errors.Is(err, exchange.ErrNotShared) {
		t.Errorf("the custodian writes after the stop: %v", err)
	}
}

// broken is a connection that breaks with the app: once at the claim, once at each list of locks, and in every submission, of which half arrives.
type broken struct {
	exchange.Home
	claims, locks int // that are answered before an answer is lost
}

var errBroken = errors.New("the app is killed")

func (b *broken) Claim(ctx context.Context, member int, sealed []byte) ([]byte, error) {
	answer, err := b.Home.Claim(ctx, member, sealed)
	if b.claims--; b.claims < 0 && err == nil {
		return nil, errBroken
	}
	return answer, err
}

func (b *broken) OwnerLocks(ctx context.Context, member int, asked []byte) ([]byte, error) {
	answer, err := b.Home.OwnerLocks(ctx, member, asked)
	if b.locks--; b.locks < 0 && err == nil {
		return nil, errBroken
	}
	return answer, err
}

func (b *broken) Submit(ctx context.Context, ops ...*op.Operation) ([]ledger.Result, error) {
	if _, err := b.Home.Submit(ctx, ops[:(len(ops)+1)/2]...); err != nil {
		return nil, err
	}
	return nil, errBroken
}

func TestAClaimThatBreaksOffAnywhereGoesOn(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	c := newCustody(t, ctx, 2)
	keys := c.newKeys(t, "")
	words, err := keys.Words()
	if err != nil {
		t.Fatal(err)
	}
	card := c.card
	var p *exchange.Patient
	attempts := 0
	for ; p == nil && attempts < 40; attempts++ {
		if found, err := exchange.Claimed(ctx, c.home(), keys); err != nil {
			t.Fatal(err)
		} else if found != nil {
			card = nil // it is not needed any more
			keys = c.newKeys(t, words)
		}
		p, err = exchange.Claim(ctx, &broken{Home: c.home(), claims: attempts, locks: attempts % 2}, keys, card, unheard)
		if err != nil && !errors.Is(err, errBroken) {
			t.Fatalf("attempt %d: %v", attempts, err)
		}
		if err != nil {
			p = nil
		}
		if attempts == 1 { // the custodian is away, and comes back knowing whose the card is
			c.Stop(t, custodian)
			if _, err := exchange.Claim(ctx, c.home(), keys, card, unheard); err == nil {
				t.Error("a claim without the custodian")
			}
			if _, err := exchange.Claim(ctx, c.home(), c.newKeys(t, ""), c.card, unheard); !errors.Is(err, home.ErrUnreachable) {
				t.Errorf("a claim at a custodian that is away: %v", err)
			}
			c.Restart(t, custodian, node.Options{})
			if _, err := exchange.Claim(ctx, c.home(), c.newKeys(t, ""), c.card, unheard); !errors.Is(err, exchange.ErrCardUsed) {
				t.Errorf("somebody else, after the custodian came back: %v", err)
			}
		}
		c.write(t, ctx, 1) // the custodian goes on writing
		c.settle(t, ctx)
	}
	if p == nil || attempts < 8 {
		t.Fatalf("it ended after %d attempts", attempts)
	}
	c.settle(t, ctx)
	if err := p.Unlock(ctx, unheard); err != nil { // what was written meanwhile
		t.Fatal(err)
	}
	if n := c.readings(t, ctx, p); n != c.written {
		t.Errorf("%d records open for the patient, want %d", n, c.written)
	}
	if n, err := c.opens(t, ctx); n != c.written || err != nil {
		t.Errorf("the custodian opens %d, want %d: %v", n, c.written, err)
	}
	if w, err := c.Nodes[custodian].Member.Watch(c.chart, exchange.Treat); err != nil || w[0].Custody {
		t.Errorf("the root was not forgotten: %v", err)
	}
}

func TestACardIsGoodOnceForWhoComesFirst(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	c := newCustody(t, ctx, 1)
	other := func(at int, with byte) *grant.ClaimCard { // the same card with another byte
		b := []byte(strings.ReplaceAll(c.card.Code(), "-", ""))
		b[at] = with
		card, err := grant.ParseClaimCard(string(b))
		if err != nil {
			return nil // the checksum says so
		}
		return card
	}
	if other(45, '0') != nil && other(45, '1') != nil {
		t.Error("a mistyped code is taken")
	}
	wrong, err := grant.NewClaimCard(c.Nodes[0].Genesis.Network(), custodian, c.chart)
	if err != nil {
		t.Fatal(err)
	}
	claim := func(card *grant.ClaimCard) error {
		_, err := exchange.Claim(ctx, c.home(), c.newKeys(t, ""), card, unheard)
		return err
	}
	if err := claim(wrong); !errors.Is(err, exchange.ErrCardNotGood) {
		t.Errorf("a wrong code: %v", err)
	}
	nobody, err := grant.NewClaimCard(c.Nodes[0].Genesis.Network(), custodian, "01234567-89ab-8def-8123-456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	if err := claim(nobody); !errors.Is(err, exchange.ErrCardNotGood) {
		t.Errorf("a chart that isn't there: %v", err)
	}
	elsewhere := *c.card
	elsewhere.Network[0]++
	if err := claim(&elsewhere); !errors.Is(err, exchange.ErrCardNetwork) {
		t.Errorf("a card of another network: %v", err)
	}
	elsewhere = *c.card
	elsewhere.Member = 99
	if err := claim(&elsewhere); !errors.Is(err, exchange.ErrCardNetwork) {
		t.Errorf("a card of no member: %v", err)
	}
	elsewhere.Member = 1
	if err := claim(&elsewhere); !errors.Is(err, exchange.ErrCardNotGood) {
		t.Errorf("a card of another member: %v", err)
	}

	// Two at once: one has it, the other hears that the card was used.
	errs := make([]error, 2)
	var g sync.WaitGroup
	for i := range errs {
		keys := c.newKeys(t, "")
		g.Go(func() { _, errs[i] = exchange.Claim(ctx, c.home(), keys, c.card, unheard) })
	}
	g.Wait()
	if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), exchange.ErrCardUsed) {
		t.Errorf("two at once: %v", errs)
	}
	if err := claim(c.card); !errors.Is(err, exchange.ErrCardUsed) {
		t.Errorf("a used card: %v", err)
	}
}

func TestTenWrongCodesAreEnoughForAnHour(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	c := newCustody(t, ctx, 0)
	h, network := c.home(), c.Nodes[0].Genesis.Network()
	to, err := key.ParseExchange(c.Nodes[0].Genesis.Members[custodian].Exchange)
	if err != nil {
		t.Fatal(err)
	}
	reply := key.NewDecapsulating([32]byte{1})
	try := func(card *grant.ClaimCard) grant.Outcome {
		q := grant.NewClaim(card, reply.Exchange())
		sealed, err := q.Seal(to, network, custodian)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := h.Claim(ctx, custodian, sealed)
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := q.OpenAnswered(reply, c.Nodes[0].Genesis, custodian, answer)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for i := range 10 {
		wrong, err := grant.NewClaimCard(network, custodian, c.chart)
		if err != nil {
			t.Fatal(err)
		}
		if got := try(wrong); got != grant.NotGood {
			t.Errorf("wrong code %d: %v", i, got)
		}
	}
	if got := try(c.card); got != grant.Later {
		t.Errorf("the right code after ten wrong ones: %v", got)
	}
	if _, err := h.Claim(ctx, custodian, []byte("noise")); !errors.Is(err, exchange.ErrInvalid) {
		t.Errorf("noise: %v", err)
	}

	// A new card begins anew, and ends the old one. Who sends the same again gets what only the reply key opens.
	old := c.card
	if c.card, err = c.Nodes[custodian].Member.IssueCard(c.chart); err != nil {
		t.Fatal(err)
	}
	if got := try(old); got != grant.NotGood {
		t.Errorf("a card that a newer one ended: %v", got)
	}
	if got := try(c.card); got != grant.Handed {
		t.Errorf("the new card: %v", got)
	}
	if got := try(c.card); got != grant.Handed {
		t.Errorf("the same again, after an answer that was lost: %v", got)
	}
	reply = key.NewDecapsulating([32]byte{2})
	if got := try(c.card); got != grant.Used {
		t.Errorf("somebody else: %v", got)
	}
}

func TestOwnerLocksAreForTheOwnerAlone(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	c := newCustody(t, ctx, 1)
	keys := c.newKeys(t, "")
	p, err := exchange.Claim(ctx, c.home(), keys, c.card, unheard)
	if err != nil {
		t.Fatal(err)
	}
	found, err := exchange.Claimed(ctx, c.home(), keys)
	if err != nil {
		t.Fatal(err)
	}
	keys = keys.With(found)
	ask := func(change func(*grant.Locks), by key.Signer) error {
		q := &grant.Locks{Chart: p.ChartID(), Log: keys.Log(section.Vitals), Owner: keys.Private(section.Vitals).Exchange(), At: uint64(time.Now().UnixMilli()), Entries: []uint64{2}}
		change(q)
		asked, err := q.Sign(by, c.Nodes[0].Genesis.Network(), custodian)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.home().OwnerLocks(ctx, custodian, asked)
		return err
	}
	owner := keys.Owner(section.Vitals)
	if err := ask(func(*grant.Locks) {}, owner); err != nil {
		t.Errorf("the owner: %v", err)
	}
	if err := ask(func(*grant.Locks) {}, keys.Owner(section.Labs)); !errors.Is(err, exchange.ErrInvalid) {
		t.Errorf("another key: %v", err)
	}
	if err := ask(func(q *grant.Locks) { q.At -= 11 * 60 * 1000 }, owner); !errors.Is(err, exchange.ErrInvalid) {
		t.Errorf("what was asked long ago: %v", err)
	}
	if err := ask(func(q *grant.Locks) { q.Log = key.Log(wire.Hash{7}) }, owner); !errors.Is(err, exchange.ErrNotShared) {
		t.Errorf("a log that isn't there: %v", err)
	}
	if err := ask(func(q *grant.Locks) { q.Chart = "01234567-89ab-8def-8123-456789abcdef" }, owner); !errors.Is(err, exchange.ErrNotShared) {
		t.Errorf("a chart that isn't there: %v", err)
	}
}

// Others hold grants that the custodian gave in the patient's name; the custodian writes all the while; there is an attachment.
func TestGranteesOfTheCustodysTimeGoOnAndNothingThatIsWrittenMeanwhileIsLost(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	c := newCustody(t, ctx, 2)
	m := c.Nodes[custodian].Member
	ward, err := m.Custody(c.chart)
	if err != nil {
		t.Fatal(err)
	}
	for member, rights := range map[int]consent.Rights{1: consent.Read, 2: consent.Write} {
		if _, err := ward.Grant(ctx, exchange.Share{Member: member, Purpose: exchange.Treat, Rights: rights, Sections: []section.Section{section.Vitals}}); err != nil {
			t.Fatal(err)
		}
	}
	scan := exchange.Attached{ID: "scan", ContentType: "application/dicom", Section: section.Vitals}
	if _, err := m.PublishAttachment(ctx, asker(exchange.Treat), c.chart, scan, strings.NewReader(strings.Repeat("scan", 50_000))); err != nil {
		t.Fatal(err)
	}
	c.settle(t, ctx)

	over, written := make(chan struct{}), make(chan error, 1)
	draft := c.pulse(t)
	wrote := 0
	go func() {
		for {
			select {
			case <-over:
				written <- nil
				return
			default:
			}
			d := draft
			d.ID = "meanwhile-" + string(rune('a'+wrote%26)) + strings.Repeat("x", wrote/26)
			d.Group = d.ID
			if _, err := m.Publish(ctx, asker(exchange.Treat), c.chart, []exchange.Draft{d}); err != nil {
				written <- err
				return
			}
			wrote++
		}
	}()
	p, err := exchange.Claim(ctx, c.home(), c.newKeys(t, ""), c.card, unheard)
	close(over)
	if err := errors.Join(err, <-written); err != nil {
		t.Fatal(err)
	}
	c.settle(t, ctx)
	if err := p.Unlock(ctx, unheard); err != nil { // what was written while the locks were made
		t.Fatal(err)
	}
	want := 3 + wrote
	if n := c.readings(t, ctx, p); n != want || wrote == 0 {
		t.Errorf("%d resources open for the patient, want %d", n, want)
	}

	// Who may only write locks for the patient's own key too.
	if _, err := c.Nodes[2].Member.Publish(ctx, asker(exchange.Treat), c.chart, []exchange.Draft{c.pulse(t)}); err != nil {
		t.Fatal(err)
	}
	want++
	if n := c.readings(t, ctx, p); n != want {
		t.Errorf("%d resources open for the patient after another wrote, want %d", n, want)
	}
	opened, err := c.Nodes[1].Member.Open(ctx, asker(exchange.Treat), c.chart, exchange.Want{Sections: []section.Section{section.Vitals}})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	if n := opened.Chart.Len(); n != want || len(opened.Errors) > 0 {
		t.Errorf("who may read opens %d, want %d: %v", n, want, opened.Errors)
	}
	shared, err := p.Sharing(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shared {
		if s.Member < 0 || s.Member > 2 {
			t.Errorf("a grant to nobody that the patient knows: %+v", s)
		}
	}
}
