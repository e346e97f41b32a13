package exchange_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/internal/mortal"
	"vitalog/node"
	"vitalog/op"
	"vitalog/section"
)

var everyStep = flag.Int("every", 0, "a member is killed at every so manieth step of each kind; 0: at one")

// doomed is a network whose member 1 is a process that is killed again and again.
type doomed struct {
	*clouds
	lives   int
	own     []uint64       // entries that member 1 wrote, and
	older   int            // how many of them before this life
	gone    []acknowledged // destroyed
	secrets [][]byte       // parts of what is
	steps   map[string]int // of each kind, in the last life that came to its end
	killed  map[string]int // at each kind
}

// acknowledged is a record, and where it stands.
type acknowledged struct {
	exchange.Draft
	exchange.Published
}

var others = []int{0, 2, 3}

// late is how many records are looked at that were acknowledged last.
const late = 8

// life has the member's process live until it is killed at a step, or all is at rest. Meanwhile the others write, and a record that it wrote in an earlier life is destroyed.
func (d *doomed) life(t *testing.T, ctx context.Context, at string) (whole bool) {
	t.Helper()
	d.lives++
	var all sync.WaitGroup
	defer all.Wait()
	for _, m := range others {
		all.Go(func() {
			kind := "pulse"
			if m == others[0] {
				kind = "image"
			}
			x, err := draftOf(fmt.Sprintf("%s-of-member-%d-%d", kind, m, d.lives))
			if err = errors.Join(err, d.publish(ctx, m, x)); err != nil {
				t.Errorf("life %d: member %d writes: %v", d.lives, m, err)
			}
			if m == others[d.lives%len(others)] {
				if err := d.readsRight(ctx, m); err != nil {
					t.Errorf("life %d: member %d reads: %v", d.lives, m, err)
				}
			}
		})
	}
	c := exec.CommandContext(ctx, os.Args[0])
	c.Env = append(os.Environ(), fmt.Sprint(victim, "=", d.MemberDir(1), " ", d.patient.ChartID(), " ", d.lives, " ", at))
	stderr := &strings.Builder{}
	c.Stderr = stderr
	in, errIn := c.StdinPipe()
	out, errOut := c.StdoutPipe()
	if err := errors.Join(errIn, errOut, c.Start()); err != nil {
		t.Fatal(err)
	}
	d.tell(t, ctx, in)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		what, rest, _ := strings.Cut(lines.Text(), " ")
		switch what {
		case "ready":
			all.Go(func() { d.destroyOne(t, ctx, in) })
		case "wrote":
			d.wrote(t, rest)
		case "killed":
			d.killed[rest]++
		case "passed":
			times, what, _ := strings.Cut(rest, " ")
			n, err := strconv.Atoi(times)
			if err != nil {
				t.Fatal(err)
			}
			d.steps[what] = n
		case "whole":
			whole = true
		}
	}
	err := c.Wait()
	if c.ProcessState.Exited() && (err != nil || !whole) {
		t.Fatalf("life %d, to be killed at %q: %v\n%s", d.lives, at, err, stderr)
	}
	if s := stderr.String(); strings.Contains(s, "level=ERROR") || strings.Contains(strings.ReplaceAll(s, "lost=0", ""), "lost") {
		t.Errorf("life %d, to be killed at %q, says\n%s", d.lives, at, s)
	}
	return whole
}

// readsRight reads what was acknowledged last. What member 1 alone has may be lacking, and say so.
func (d *doomed) readsRight(ctx context.Context, member int) error {
	d.mu.Lock()
	from := max(0, len(d.at)-late)
	drafts, want := slices.Clone(d.drafts[from:]), exchange.Want{Sections: vitals.Sections}
	for _, at := range d.at[from:] {
		want.Entries = append(want.Entries, at.Entry)
	}
	block := d.block
	d.mu.Unlock()
	slices.Sort(want.Entries)
	m := d.Nodes[member].Member
	if err := m.Followed(ctx, block); err != nil {
		return err
	}
	opened, err := m.Open(ctx, asker("TREAT"), d.patient.ChartID(), want)
	if err != nil {
		return nil // nothing was shown
	}
	defer opened.Close()
	return right(opened, drafts)
}

// tell has the member's process know what was acknowledged of late: by itself, and by all.
func (d *doomed) tell(t *testing.T, ctx context.Context, in io.Writer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.Nodes[0].Member.Followed(ctx, d.block); err != nil { // whose ledger says what they are
		t.Fatal(err)
	}
	d.older = len(d.own)
	for _, at := range d.at {
		if slices.Contains(d.own[max(0, len(d.own)-late):], at.Entry) {
			r := d.record(t, at)
			fmt.Fprintf(in, "%x %x %x\n", at.Log[:], r.ID[:], r.Blob[:])
		}
	}
	fmt.Fprintln(in)
	for i := max(0, len(d.at)-late); i < len(d.at); i++ {
		fmt.Fprintln(in, d.drafts[i].ID, d.at[i].Entry)
	}
	fmt.Fprintf(in, "\n%d\n", d.block)
}

// wrote takes what the member acknowledged: id, entry and block.
func (d *doomed) wrote(t *testing.T, line string) {
	var id string
	at := exchange.Published{Log: d.at[0].Log}
	if _, err := fmt.Sscan(line, &id, &at.Entry, &at.Block); err != nil {
		t.Fatal(err)
	}
	x, err := draftOf(id)
	if err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drafts, d.at, d.own, d.block = append(d.drafts, x), append(d.at, at), append(d.own, at.Entry), max(d.block, at.Block)
}

// destroyOne has the patient destroy a record that the member wrote and that has come to member 0, and tells the member's process in which block that is.
func (d *doomed) destroyOne(t *testing.T, ctx context.Context, tell io.Writer) {
	var blob, header []byte
	d.mu.Lock()
	i := slices.IndexFunc(d.at, func(at exchange.Published) bool {
		if !slices.Contains(d.own[:d.older], at.Entry) {
			return false
		}
		record := d.record(t, at)
		var errBlob, errHeader error
		blob, errBlob = d.Nodes[0].Store.Get(record.Blob, 1<<20)
		header, errHeader = d.Nodes[0].Store.Header(at.Log, record.ID)
		return errors.Join(errBlob, errHeader) == nil
	})
	if i < 0 {
		d.mu.Unlock()
		_, _ = fmt.Fprintln(tell, 0) // nothing is left that it wrote
		return
	}
	at, draft := d.at[i], d.drafts[i]
	d.at, d.drafts = slices.Delete(d.at, i, i+1), slices.Delete(d.drafts, i, i+1)
	d.mu.Unlock()
	block, err := d.patient.Destroy(ctx, section.Vitals, at.Entry)
	if err != nil {
		t.Errorf("life %d: destroying: %v", d.lives, err)
		return
	}
	d.gone, d.secrets = append(d.gone, acknowledged{draft, at}), append(d.secrets, middle(blob), middle(header))
	_, _ = fmt.Fprintln(tell, block) // it may be dead
}

// middle is a part of something sealed that is nowhere else.
func middle(b []byte) []byte { return b[len(b)/2 : len(b)/2+24] }

func TestAMemberThatIsKilledAtAnyStepOfAPackLosesNothingAndHealsByItself(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*testTime)
	defer cancel()
	d := &doomed{clouds: startInClouds(t, brisk), steps: map[string]int{}, killed: map[string]int{}}
	d.patient = d.newPatient(t, ctx)
	for m := range d.Nodes {
		if err := d.grant(ctx, m, "read,write", "TREAT", nil); err != nil {
			t.Fatal(err)
		}
	}
	d.settle(t, ctx)
	var drafts []exchange.Draft
	for i := range 12 { // to be destroyed in lives of which none came to write
		x, err := draftOf(fmt.Sprint("pulse-", i))
		if err != nil {
			t.Fatal(err)
		}
		drafts = append(drafts, x)
	}
	if err := d.publish(ctx, 1, drafts...); err != nil {
		t.Fatal(err)
	}
	for _, at := range d.at {
		d.own = append(d.own, at.Entry)
	}
	d.settle(t, ctx)
	for _, n := range d.Nodes {
		eventually(t, ctx, "all have all", func() (bool, error) { missing, err := n.Member.Missing(); return missing == 0, err })
	}
	d.Stop(t, 1)
	began := time.Now()
	if !d.life(t, ctx, "0") {
		t.Fatal("it was killed at no step")
	}
	t.Logf("a life has these steps: %v", d.steps)
	for _, kind := range mortal.Kinds() {
		nth := 1 + rand.N(max(d.steps[kind], 1))
		if *everyStep > 0 {
			nth = 1 + rand.N(*everyStep)
		}
		for whole := false; !whole && (*everyStep > 0 || d.killed[kind] == 0); nth += *everyStep {
			whole = d.life(t, ctx, fmt.Sprint(nth, " ", kind))
		}
		for tries := 0; d.killed[kind] == 0 && tries < 8; tries++ { // what waits leaves when others have said that they hold it
			d.life(t, ctx, "1 "+kind)
		}
	}
	t.Logf("%d lives of %v on average, killed at %v", d.lives, time.Since(began)/time.Duration(d.lives), d.killed)
	d.Restart(t, 1, node.Options{Schedule: brisk, Cloud: impatient})
	d.WaitReady(t)
	d.healed(t, ctx, 1)
	d.servesWhole(t, ctx)
	d.lostNothing(t, ctx)
	for _, kind := range mortal.Kinds() {
		if d.killed[kind] == 0 {
			t.Errorf("it was never killed at %q", kind)
		}
	}
	t.Logf("%d records are as they were acknowledged, %d are destroyed", len(d.at), len(d.gone))
}

// servesWhole opens the chart at every member: what was acknowledged is in it as it was written, and nothing that was destroyed.
func (d *doomed) servesWhole(t *testing.T, ctx context.Context) {
	for m, n := range d.Nodes {
		n.Member.CloseCharts()
		opened, err := n.Member.Open(ctx, asker("TREAT"), d.patient.ChartID(), vitals)
		if err != nil {
			t.Fatal(err)
		}
		defer opened.Close()
		if err := errors.Join(append(opened.Errors, right(opened, d.drafts))...); err != nil {
			t.Errorf("member %d: %v", m, err)
		}
		for _, x := range d.gone {
			if opened.Chart.Get(x.Resource.Type(), x.ID) != nil {
				t.Errorf("member %d: %s was destroyed and opens", m, x.ID)
			}
		}
	}
	for i, x := range d.gone[:min(len(d.gone), len(d.Nodes)*op.MaxRefusals)] { // of more an hour the ledger only keeps the number
		if why, err := d.asksFor(ctx, i%len(d.Nodes), x.Published); err != nil || why != consent.Erased {
			t.Errorf("member %d asks for %s, which was destroyed: %v, %v", i%len(d.Nodes), x.ID, why, err)
		}
	}
}

// lostNothing looks at what the member has on its disk and in its bucket: nothing that was destroyed, no object that it doesn't know; and it never had to be healed.
func (d *doomed) lostNothing(t *testing.T, ctx context.Context) {
	for m, n := range d.Nodes {
		if x := n.Member.Incidents(3); x.Unhealed > 0 || m == 1 && x.Ever > 0 {
			t.Errorf("member %d: %+v", m, x)
		}
	}
	blob, err := d.Nodes[1].Store.Get(d.record(t, d.at[0]).Blob, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	d.everything(t, 1, d.bucket, collect(append(d.secrets, middle(blob)), &found)) // of which only the last is there
	if !slices.Equal(found, []int{len(d.secrets)}) {
		t.Errorf("parts %v are on the disk or in the bucket, want only part %d", found, len(d.secrets))
	}
	if s, objects := d.Nodes[1].Store.Status(), len(d.files(t)); s.Packs != objects || s.Found.Lost+s.Found.Adopted+s.Found.Again+s.Found.Foreign > 0 {
		t.Errorf("the bucket has %d objects and the store knows %+v", objects, s)
	}
}
