package subscription_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vitalog/exchange"
	"vitalog/section"
	"vitalog/subscription"
)

func TestASubscriber(t *testing.T) {
	n := network(t)

	t.Run("is told what is created, updated and deleted, in order and whole, and the patient sees it", func(t *testing.T) {
		h := newHook(t)
		d := newDesk(t, n, h)
		chart := d.enrol()
		d.write(chart, "before", "was there before", 0)
		id := d.subscribe(h, subscription.ResourceChange, subscription.Full, "patient=Patient/"+chart)
		first := d.write(chart, "w1", "first", 0)
		second := d.write(chart, "w1", "second", first)
		d.publish(chart, exchange.Draft{Resource: parse(t, `{"resourceType":"Observation"}`), ID: "w1", Section: section.Vitals, Group: "w1", Supersedes: []uint64{second}, Deleted: true})
		var got notification
		for len(got.numbers) < 3 {
			n := h.next(t, "event-notification")
			got.numbers, got.focus, got.methods, got.bodies = append(got.numbers, n.numbers...), append(got.focus, n.focus...), append(got.methods, n.methods...), append(got.bodies, n.bodies...)
		}
		if !slices.Equal(got.numbers, []string{"1", "2", "3"}) || !slices.Equal(got.focus, []string{"Observation/w1", "Observation/w1", "Observation/w1"}) ||
			!slices.Equal(got.methods, []string{"POST", "PUT", "DELETE"}) {
			t.Fatalf("got %+v", got)
		}
		if !strings.Contains(got.bodies[0], `"first"`) || !strings.Contains(got.bodies[0], "70.0") || !strings.Contains(got.bodies[1], `"second"`) || got.bodies[2] != "" {
			t.Errorf("got %q", got.bodies)
		}
		d.until(id, "active")
		rows := d.rows(chart)
		if len(rows) == 0 {
			t.Fatal("the patient sees nothing of it")
		}
		for _, r := range rows {
			if r.Detail == nil || !r.Detail.Machine || r.Detail.Purpose != "TREAT" || r.Detail.Name != "A. Okafor" || r.Detail.Reason != "subscription" {
				t.Errorf("row %+v, detail %+v", r, r.Detail)
			}
		}
	})

	t.Run("with an empty payload learns that something happened, and nothing is opened for it", func(t *testing.T) {
		h := newHook(t)
		d := newDesk(t, n, h)
		chart := d.enrol()
		d.subscribe(h, subscription.ResourceChange, subscription.Empty, "?patient="+chart)
		d.write(chart, "w1", "first", 0)
		got := h.next(t, "event-notification")
		if !slices.Equal(got.numbers, []string{"1"}) || got.focus != nil || got.bodies != nil || strings.Contains(got.raw, chart) || strings.Contains(got.raw, "Observation") {
			t.Errorf("got %s", got.raw)
		}
		if rows := d.rows(chart); len(rows) != 0 {
			t.Errorf("it was opened: %+v", rows)
		}
	})

	t.Run("who filters by type is told of that type alone", func(t *testing.T) {
		h := newHook(t)
		d := newDesk(t, n, h)
		chart := d.enrol()
		d.subscribe(h, subscription.ResourceChange, subscription.IDOnly, "Condition?patient=Patient/"+chart, "MedicationRequest?patient=Patient/"+chart)
		d.write(chart, "w1", "no", 0)
		d.publish(chart, exchange.Draft{Resource: parse(t, `{"resourceType":"AllergyIntolerance"}`), ID: "a1", Section: section.Summary, Group: "x"},
			exchange.Draft{Resource: parse(t, `{"resourceType":"Condition","code":{"text":"c"}}`), ID: "c1", Section: section.Summary, Group: "x"})
		got := h.next(t, "event-notification")
		if !slices.Equal(got.numbers, []string{"1"}) || !slices.Equal(got.focus, []string{"Condition/c1"}) || got.bodies[0] != "" {
			t.Errorf("got %s", got.raw)
		}
	})

	t.Run("loses nothing while the endpoint is down and the member restarts, and nothing changes its place", func(t *testing.T) {
		h := newHook(t)
		d := newDesk(t, n, h)
		chart := d.enrol()
		id := d.subscribe(h, subscription.ResourceChange, subscription.IDOnly, "patient="+chart)
		d.until(id, "active")
		h.status.Store(http.StatusServiceUnavailable)
		var want []string
		for i := range 30 {
			want = append(want, fmt.Sprintf("Observation/o%02d", i))
			d.write(chart, fmt.Sprintf("o%02d", i), "x", 0)
			if i%10 == 5 {
				d.until(id, "error")
				d.stop()
			}
			if i%10 == 7 {
				d.start()
			}
		}
		if r := d.until(id, "error"); !strings.Contains(r, "answered 503") {
			t.Errorf("it doesn't say why: %s", r)
		}
		h.status.Store(http.StatusOK)
		d.wantAll(h, want)
		d.until(id, "active")
	})

	t.Run("is told again, with the same number, what was told when the member was killed", func(t *testing.T) {
		h := newHook(t)
		d := newDesk(t, n, h)
		chart := d.enrol()
		id := d.subscribe(h, subscription.ResourceChange, subscription.IDOnly, "patient="+chart)
		d.until(id, "active")
		taken := make(chan notification)
		h.meet = func(n notification, r *http.Request) {
			if n.kind == "event-notification" {
				select {
				case taken <- n:
					<-r.Context().Done() // the member is killed before it hears the answer
				case <-r.Context().Done():
				}
			}
		}
		d.write(chart, "o1", "x", 0)
		first := <-taken
		d.stop()
		d.write(chart, "o2", "x", 0)
		d.start()
		again := <-taken
		d.stop()
		if !slices.Equal(first.numbers, []string{"1"}) || !slices.Equal(again.numbers[:1], first.numbers) || !slices.Equal(again.focus[:1], first.focus) {
			t.Errorf("first %v %v, then %v %v", first.numbers, first.focus, again.numbers, again.focus)
		}
		h.meet = nil
		for len(h.got) > 0 {
			<-h.got
		}
		d.start()
		d.wantAll(h, []string{"Observation/o1", "Observation/o2"})
	})

	t.Run("hears no more once the patient stopped, also not of what was waiting", func(t *testing.T) {
		h := newHook(t)
		d := newDesk(t, n, h)
		chart := d.enrol()
		id := d.subscribe(h, subscription.ResourceChange, subscription.Empty, "patient="+chart)
		d.until(id, "active")
		h.status.Store(http.StatusServiceUnavailable)
		d.write(chart, "o1", "x", 0)
		d.until(id, "error") // it has its number, and waits
		p, err := n.Member.Custody(chart)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Stop(t.Context(), func(exchange.Shared) bool { return true }); err != nil {
			t.Fatal(err)
		}
		h.status.Store(http.StatusOK)
		if r := d.until(id, "active"); strings.Contains(r, `"error"`) {
			t.Errorf("something is in error: %s", r)
		}
		d.stop() // nothing is on its way any more
		for len(h.got) > 0 {
			if n := <-h.got; n.kind == "event-notification" {
				t.Errorf("it heard %s", n.raw)
			}
		}
		raw, err := d.book.Events(t.Context(), okafor, id, 0, 100, "")
		if err != nil {
			t.Fatal(err)
		}
		if e := readNotification(t, raw); e.kind != "query-event" || len(e.numbers) != 0 {
			t.Errorf("$events tells %s", raw)
		}
	})

	t.Run("has a subscription of its own beside another's, and they don't see each other's", func(t *testing.T) {
		one, two := newHook(t), newHook(t)
		d := newDesk(t, n, one, two)
		chart := d.enrol()
		d.subscribe(one, subscription.ResourceChange, subscription.IDOnly, "patient="+chart)
		petit := exchange.Asker{Practitioner: "p-2", Purpose: "TREAT"}
		s, err := d.book.Create(petit, parse(t, wish(subscription.ResourceChange, subscription.Empty, two.URL, "patient="+chart)))
		if err != nil {
			t.Fatal(err)
		}
		two.next(t, "handshake")
		one.status.Store(http.StatusInternalServerError)
		for i := range 3 {
			d.write(chart, fmt.Sprint("o", i), "x", 0)
		}
		var numbers []string
		for len(numbers) < 3 {
			numbers = append(numbers, two.next(t, "event-notification").numbers...) // whatever the other's endpoint does
		}
		one.status.Store(http.StatusOK)
		d.wantAll(one, []string{"Observation/o0", "Observation/o1", "Observation/o2"})
		research := exchange.Asker{Practitioner: "p-2", Purpose: "HRESCH"}
		for _, who := range []exchange.Asker{okafor, research} {
			_, get := d.book.Get(who, s.ID)
			_, put := d.book.Update(who, s.ID, "", parse(t, wish(subscription.ResourceChange, subscription.Empty, two.URL, "patient="+chart)))
			_, events := d.book.Events(t.Context(), who, s.ID, 0, 9, "")
			_, none := d.book.Get(who, "nothing")
			for _, err := range []error{get, put, events, d.book.Delete(who, s.ID)} {
				if !errors.Is(err, exchange.ErrNotShared) || err.Error() != none.Error() {
					t.Errorf("%v is told %v", who, err)
				}
			}
			if got := d.book.Status(who, s.ID); len(got) != 0 {
				t.Errorf("%v is told %s", who, got)
			}
		}
		if err := d.book.Delete(petit, s.ID); err != nil {
			t.Fatal(err)
		}
		d.stop()
		d.start()
		if l := d.book.List(petit); len(l) != 0 {
			t.Errorf("after it was deleted there is %s", l[0].Resource)
		}
	})

	t.Run("for another purpose, or of nobody's chart, gets the same answers and hears nothing", func(t *testing.T) {
		h := newHook(t)
		d := newDesk(t, n, h)
		chart := d.enrol()
		research := exchange.Asker{Practitioner: "p-3", Purpose: "HRESCH"}
		for _, patient := range []string{chart, "nobody"} {
			if _, err := d.book.Create(research, parse(t, wish(subscription.RecordAccess, subscription.Empty, h.URL, "patient="+patient))); err != nil {
				t.Fatal(err)
			}
			h.next(t, "handshake")
		}
		d.subscribe(h, subscription.RecordAccess, subscription.Empty, "patient="+chart)
		d.write(chart, "o1", "x", 0)
		d.read(chart)
		if n := h.next(t, "event-notification"); !slices.Equal(n.numbers, []string{"1"}) {
			t.Errorf("got %s", n.raw)
		}
		d.stop()
		if len(h.got) != 0 {
			t.Errorf("they heard %s", (<-h.got).raw)
		}
	})

	t.Run("at the custodian hears of consent too", func(t *testing.T) {
		h := newHook(t)
		d := newDesk(t, n, h)
		chart := d.enrol()
		d.subscribe(h, subscription.ConsentChange, subscription.Empty, "patient="+chart)
		p, err := n.Member.Custody(chart)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Grant(t.Context(), exchange.Share{Member: 0, Purpose: "HPAYMT", Rights: 2, Sections: []section.Section{section.Coverage}}); err != nil {
			t.Fatal(err)
		}
		if n := h.next(t, "event-notification"); !slices.Equal(n.numbers, []string{"1"}) {
			t.Errorf("got %s", n.raw)
		}
		if _, err := p.Stop(t.Context(), func(s exchange.Shared) bool { return s.Purpose == "HPAYMT" }); err != nil {
			t.Fatal(err)
		}
		if n := h.next(t, "event-notification"); !slices.Equal(n.numbers, []string{"2"}) {
			t.Errorf("got %s", n.raw)
		}
	})

	t.Run("whose endpoint fails for too long is off, is told why, and goes on where it stood when it asks for it", func(t *testing.T) {
		for status, why := range map[int]string{http.StatusInternalServerError: "answered 500; off after 3 attempts", http.StatusFound: "redirects are not followed; off after 3", http.StatusGone: "wants no more notifications; off after 1"} {
			h := newHook(t)
			d := newDesk(t, n, h)
			d.config.Attempts = 3
			d.stop()
			d.start()
			chart := d.enrol()
			id := d.subscribe(h, subscription.ResourceChange, subscription.IDOnly, "patient="+chart)
			d.until(id, "active")
			h.status.Store(int64(status))
			d.write(chart, "o1", "x", 0)
			r := d.until(id, "off")
			if !strings.Contains(r, why) {
				t.Errorf("%d: it says %s", status, r)
			}
			d.write(chart, "o2", "x", 0)
			d.stop()
			asked := h.asked.Load()
			d.start() // it stays off
			h.status.Store(http.StatusOK)
			again := strings.Replace(wish(subscription.ResourceChange, subscription.IDOnly, h.URL, "patient="+chart), fmt.Sprintf(`"header":[%q],`, secret), "", 1)
			if _, err := d.book.Update(okafor, id, "7", parse(t, again)); !errors.Is(err, subscription.ErrChanged) {
				t.Errorf("another version than the one meant: %v", err)
			}
			if h.asked.Load() != asked {
				t.Error("it was asked although it is off")
			}
			if _, err := d.book.Update(okafor, id, "1", parse(t, again)); err != nil {
				t.Fatal(err)
			}
			if n := h.next(t, "handshake"); n.header.Get("Authorization") == "" {
				t.Error("the headers that it had are gone")
			}
			d.wantAll(h, []string{"Observation/o1", "Observation/o2"})
		}
	})

	t.Run("asks for events by number", func(t *testing.T) {
		h := newHook(t)
		d := newDesk(t, n, h)
		chart := d.enrol()
		id := d.subscribe(h, subscription.ResourceChange, subscription.Full, "patient="+chart)
		for i := range 3 {
			d.write(chart, fmt.Sprint("o", i), fmt.Sprint("note ", i), 0)
		}
		d.wantAll(h, []string{"Observation/o0", "Observation/o1", "Observation/o2"})
		before := len(d.rows(chart))
		raw, err := d.book.Events(t.Context(), okafor, id, 2, 3, "")
		if err != nil {
			t.Fatal(err)
		}
		if e := readNotification(t, raw); !slices.Equal(e.numbers, []string{"2", "3"}) || !strings.Contains(e.bodies[1], "note 2") {
			t.Errorf("got %s", raw)
		}
		if after := d.rows(chart); len(after) <= before {
			t.Error("it was opened without a row")
		}
		raw, err = d.book.Events(t.Context(), okafor, id, 3, 9, subscription.Empty)
		if err != nil {
			t.Fatal(err)
		}
		if e := readNotification(t, raw); !slices.Equal(e.numbers, []string{"3"}) || e.focus != nil {
			t.Errorf("got %s", raw)
		}
	})

	t.Run("hears a heartbeat when nothing happens", func(t *testing.T) {
		h := newHook(t)
		d := newDesk(t, n, h)
		w := strings.Replace(wish(subscription.ResourceChange, subscription.Empty, h.URL, "patient=nobody"), `"channel":{`,
			`"channel":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-heartbeat-period","valueUnsignedInt":1}],`, 1)
		if _, err := d.book.Create(okafor, parse(t, w)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if n := h.next(t, "heartbeat"); n.status != "active" || len(n.numbers) != 0 {
				t.Errorf("got %s", n.raw)
			}
		}
	})

	t.Run("finds its secrets neither in what it reads nor on the disk", func(t *testing.T) {
		h := newHook(t)
		d := newDesk(t, n, h)
		chart := d.enrol()
		id := d.subscribe(h, subscription.ResourceChange, subscription.IDOnly, "patient="+chart)
		d.write(chart, "o1", "x", 0)
		d.wantAll(h, []string{"Observation/o1"})
		r := d.until(id, "active")
		if strings.Contains(r, "s3cr3t") {
			t.Errorf("the secret is given back: %s", r)
		}
		d.stop()
		if err := filepath.WalkDir(d.path, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			for _, plain := range []string{"s3cr3t", h.URL, chart, id, "Okafor"} {
				if bytes.Contains(b, []byte(plain)) {
					t.Errorf("%s has %q", path, plain)
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		d.start()
	})
}

// wantAll waits for events about those resources and nothing else, in their order and with numbers that grow; one may come again.
func (d *desk) wantAll(h *hook, want []string) {
	d.Helper()
	var focus []string
	last := 0
	for len(focus) < len(want) {
		n := h.next(d.T, "event-notification")
		for i, number := range n.numbers {
			var k int
			fmt.Sscan(number, &k)
			if k <= last {
				continue
			}
			if k != last+1 {
				d.Errorf("number %d after %d", k, last)
			}
			last = k
			focus = append(focus, n.focus[i])
		}
	}
	if !slices.Equal(focus, want) {
		d.Errorf("got %v, want %v", focus, want)
	}
}

// rows is what the patient sees.
func (d *desk) rows(chart string) []exchange.Activity {
	d.Helper()
	if err := d.node.Member.Flushed(d.Context()); err != nil {
		d.Fatal(err)
	}
	p, err := d.node.Member.Custody(chart)
	if err != nil {
		d.Fatal(err)
	}
	log, err := p.Activity(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	return log.Rows
}

func (d *desk) read(chart string) {
	d.Helper()
	o, err := d.node.Member.Open(context.Background(), okafor, chart, exchange.Want{Sections: []section.Section{section.Vitals}})
	if err != nil {
		d.Fatal(err)
	}
	o.Close()
}
