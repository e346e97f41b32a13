package ledger_test

import (
	"errors"
	"fmt"
	"testing"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/wire"
)

func TestEveryEntryIsProvenUpToTheAppHash(t *testing.T) {
	w := newWorld(t, founders(1))
	w.makeKey()
	for _, owner := range []string{"a", "b", "c", "d", "e"} {
		w.must(w.create(owner))
	}
	log := w.logOf("c")
	const entries = 70 // beyond the second level of nodes that is kept
	for i := range entries - 1 {
		w.must(w.sign("c", log, &op.Rotate{Epoch: uint32(i + 2)}))
		for n := range uint64(i + 2) {
			p, err := w.l.Prove(log, n)
			if err != nil {
				t.Fatal(err)
			}
			if p, err = op.DecodeProof(p.Encode()); err != nil {
				t.Fatal(err)
			}
			e, h, err := p.Check(log, n)
			if err != nil {
				t.Fatalf("entry %d of %d: %v", n, i+2, err)
			}
			if p.State.Hash() != w.l.AppHash() || p.Height != w.l.Height() || h.Size != uint64(i+2) || e.Number != n {
				t.Fatalf("entry %d of %d: proof of another state", n, i+2)
			}
			if _, _, err := p.Check(log, n+1); err == nil {
				t.Fatalf("entry %d is proven at %d", n, n+1)
			}
			if _, _, err := p.Check(w.logOf("a"), n); err == nil {
				t.Fatal("entry is proven in another log")
			}
			p.State.Count++
			p.State.Heads[0]++
			if _, _, err := p.Check(log, n); err == nil {
				t.Fatal("head is proven in another array")
			}
		}
	}
	if _, err := w.l.Prove(log, entries); !errors.Is(err, ledger.NoSuchEntry) {
		t.Errorf("got %v, want %v", err, ledger.NoSuchEntry)
	}
	if _, err := w.l.Prove(key.Log{}, 0); !errors.Is(err, ledger.UnknownLog) {
		t.Errorf("got %v, want %v", err, ledger.UnknownLog)
	}
}

func TestAnEmptyBlockLeavesTheAppHash(t *testing.T) {
	w := newWorld(t, founders(1))
	w.must(w.create("owner"))
	want := w.l.State()
	w.clock += 1000
	w.block()
	if got := w.l.State(); got != want || w.l.Height() != 2 {
		t.Errorf("got %+v at %d, want %+v at 2", got, w.l.Height(), want)
	}
	w.reopen()
}

func TestTheClockNeverGoesBack(t *testing.T) {
	w := newWorld(t, founders(1))
	w.must(w.create("owner"))
	o := w.sign("owner", w.logOf("owner"), &op.Rotate{Epoch: 2})
	w.clock -= 5000
	w.must(o)
	if got := w.l.Clock(); got != start {
		t.Errorf("clock %d, want %d", got, start)
	}
}

func TestReplayWindowsAreForgottenWhenTheirMinuteIsOver(t *testing.T) {
	w := newWorld(t, founders(1))
	windows := func() (n int) {
		if err := w.store.Scan([]byte("w"), []byte("x"), func(_, _ []byte) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	w.must(w.create("owner"))
	for i := range 30 {
		w.clock += 20_000
		w.must(w.sign("owner", w.logOf("owner"), &op.Rotate{Epoch: uint32(i + 2)})) // expires a minute later
		if n := windows(); n > 6 {
			t.Fatalf("%d windows are kept of two minutes", n)
		}
	}
	w.clock += 180_000
	w.must(w.sign("owner", w.logOf("owner"), &op.Rotate{Epoch: 32}))
	if n := windows(); n != 1 {
		t.Errorf("%d windows are kept, want the last", n)
	}
	w.reopen()
}

func TestExecutingAgainDropsWhatWasStaged(t *testing.T) {
	w := newWorld(t, founders(1))
	a, b := w.create("a"), w.create("b")
	before := w.l.AppHash()
	_, first, err := w.l.Execute(1, w.clock, []*op.Operation{a})
	if err != nil {
		t.Fatal(err)
	}
	if w.l.AppHash() != before || w.l.Height() != 0 || w.l.Logs() != 0 {
		t.Error("a staged block is visible")
	}
	if _, _, err := w.l.Execute(1, w.clock, []*op.Operation{b}); err != nil {
		t.Fatal(err)
	}
	_, again, err := w.l.Execute(1, w.clock, []*op.Operation{a})
	if err != nil || again != first {
		t.Fatalf("the same block gives %v, then %v: %v", first, again, err)
	}
	if _, err := w.l.Commit(); err != nil {
		t.Fatal(err)
	}
	if h, err := w.l.Head(w.logOf("b")); h != nil || err != nil || w.l.Logs() != 1 || w.l.AppHash() != first {
		t.Errorf("head %v, %d logs: %v", h, w.l.Logs(), err)
	}
	if _, err := w.l.Commit(); err == nil {
		t.Error("a block was committed twice")
	}
	if _, _, err := w.l.Execute(3, w.clock, nil); err == nil {
		t.Error("a height was left out")
	}
	if _, _, err := w.l.Execute(1, w.clock, nil); err == nil {
		t.Error("a height was executed again after its commit")
	}
}

func TestOneBlockRunsItsOperationsInOrder(t *testing.T) {
	w := newWorld(t, founders(1))
	w.makeKey()
	log := w.logOf("owner")
	record := func(name string) *op.Append {
		return &op.Append{Epoch: 1, NetGen: 1, Records: []op.Record{{ID: key.Record(seed(name))}}}
	}
	grant := &op.Grant{Terms: consent.Terms{Key: actor("lab").Public(), Rights: consent.Write}}
	append1 := w.sign("lab", log, record("r1"))
	results, b := w.block(w.create("other"), w.create("owner"), append1, w.sign("owner", log, grant), append1, append1, w.sign("lab", log, record("r1")),
		w.sign("lab", log, record("r2")), w.sign("lab", log, &op.RekeyGrantee{}), w.sign("lab", log, op.NewBlock(consent.Range{From: 2, To: 4})))
	want := []ledger.Code{ledger.OK, ledger.OK, ledger.NotGranted, ledger.OK, ledger.OK, ledger.Replayed, ledger.RecordExists, ledger.OK, ledger.UnsoundKey, ledger.OK}
	for i, r := range results {
		if r.Code != want[i] {
			t.Errorf("operation %d: got %v, want %v", i, r.Err(), want[i])
		}
	}
	if r := results[7]; r.First != 3 || r.Count != 1 || r.Log != log {
		t.Errorf("the second record became %d entries from %d", r.Count, r.First)
	}
	var got []string
	if err := w.l.BlockEntries(b.Height, func(e *op.Entry) error {
		got = append(got, fmt.Sprint(e.Log, e.Number, e.Says.Kind(), e.Hash()))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 6 || len(b.Entries) != len(got) {
		t.Fatalf("%d entries kept, %d told, want 6", len(got), len(b.Entries))
	}
	for i, e := range b.Entries {
		if s := fmt.Sprint(e.Log, e.Number, e.Says.Kind(), e.Hash()); s != got[i] {
			t.Errorf("entry %d: told %s, kept %s", i, s, got[i])
		}
	}
	if n, ok, err := w.l.FindRecord(log, key.Record(seed("r2"))); n != 3 || !ok || err != nil {
		t.Errorf("record at %d, %v: %v", n, ok, err)
	}
	if _, ok, err := w.l.FindRecord(log, key.Record(seed("r3"))); ok || err != nil {
		t.Errorf("a record that nobody appended: %v", err)
	}
}

// breaking fails a write, before or after it has happened.
type breaking struct {
	*ledger.Memory
	before, after error
}

func (b *breaking) Write(batch []ledger.Change) error {
	if b.before != nil {
		return b.before
	}
	return errors.Join(b.Memory.Write(batch), b.after)
}

func TestAFailedWriteIsEitherNothingOrTheWholeBlock(t *testing.T) {
	full := errors.New("no space left")
	for _, happened := range []bool{false, true} {
		s := &breaking{Memory: ledger.NewMemory()}
		w := newWorld(t, founders(1))
		l, err := ledger.Open(w.g, s)
		if err != nil {
			t.Fatal(err)
		}
		o := w.create("owner")
		if happened {
			s.after = full
		} else {
			s.before = full
		}
		before := l.AppHash()
		_, hash, err := l.Execute(1, w.clock, []*op.Operation{o})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Commit(); !errors.Is(err, full) {
			t.Errorf("got %v, want %v", err, full)
		}
		if l.Height() != 0 || l.AppHash() != before {
			t.Error("a block that may not be durable is visible")
		}
		s.before, s.after = nil, nil
		if l, err = ledger.Open(w.g, s); err != nil {
			t.Fatal(err)
		}
		if happened {
			if l.Height() != 1 || l.AppHash() != hash {
				t.Errorf("height %d after a write that happened", l.Height())
			}
			continue
		}
		if _, again, err := l.Execute(1, w.clock, []*op.Operation{o}); err != nil || again != hash {
			t.Errorf("the block again gives %v, want %v: %v", again, hash, err)
		}
		if _, err := l.Commit(); err != nil || l.AppHash() != hash {
			t.Errorf("the block again: %v", err)
		}
	}
}

func TestAStoreOfAnotherNetworkOrWithAHoleIsRefused(t *testing.T) {
	w := newWorld(t, founders(1))
	for _, o := range []string{"a", "b", "c"} {
		w.must(w.create(o))
	}
	other := founders(1)
	other.Name = "another"
	if _, err := ledger.Open(other, w.store); err == nil {
		t.Error("the store of another network was opened")
	}
	var keys [][]byte
	if err := w.store.Scan([]byte{0}, []byte{255}, func(k, v []byte) error {
		keys = append(keys, append([]byte{}, k...))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k[0] != 'h' && k[0] != 't' && k[0] != 'w' { // what is read at once when opening
			continue
		}
		v, err := w.store.Get(k)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.store.Write([]ledger.Change{{Key: k}}); err != nil {
			t.Fatal(err)
		}
		if _, err := ledger.Open(w.g, w.store); err == nil {
			t.Errorf("a store without %q was opened", k)
		}
		if err := w.store.Write([]ledger.Change{{Key: k, Value: v}}); err != nil {
			t.Fatal(err)
		}
	}
	w.reopen()
}

func TestAnAnchorStandsInItsSignersLogOfAnchorsAlone(t *testing.T) {
	w := newWorld(t, founders(4))
	chart := w.create("patient")
	w.must(chart)
	own := op.AnchorLog(w.l.Network(), actor("member").Public())
	a := &op.Anchor{Use: op.UsePortal, Hash: seed("release")}
	w.refuse(ledger.UnknownLog, w.sign("member", own, a))
	w.must(w.sign("member", own, &op.Create{Salt: op.AnchorSalt(), Ticket: w.ticket(0, op.CreateSubject(own))}))
	at := w.must(w.sign("member", own, a))
	w.refuse(ledger.WrongLogID, w.sign("patient", chart.Log, a))
	w.refuse(ledger.WrongLogID, w.sign("patient", own, a))
	w.must(w.sign("member", own, op.NewRekeyOwner(w.l.Network(), own, actor("member").Public(), actor("thief"))))
	w.refuse(ledger.NotOwner, w.sign("member", own, a))
	w.refuse(ledger.WrongLogID, w.sign("thief", own, a))
	e, err := w.l.Entry(own, at.First)
	if err != nil || *e.Says.(*op.Anchor) != *a {
		t.Errorf("got %+v, %v", e, err)
	}
}

func TestReadersSeeWholeBlocksWhileOthersCommit(t *testing.T) {
	w := newWorld(t, founders(1))
	w.must(w.create("owner"))
	log := w.logOf("owner")
	done, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(failed)
		for n := uint64(0); ; n++ {
			select {
			case <-done:
				return
			default:
			}
			p, err := w.l.Prove(log, 0)
			if err == nil {
				_, _, err = p.Check(log, 0)
			}
			if err == nil {
				err = w.l.Entries(log, 0, 3, func(e *op.Entry) error { _, err := w.l.Head(e.Log); return err })
			}
			if err != nil {
				failed <- err
				return
			}
		}
	}()
	for i := range 200 {
		w.must(w.sign("owner", log, &op.Rotate{Epoch: uint32(i + 2), EpochKey: wire.Hash{byte(i)}}))
	}
	close(done)
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

func TestAStorageReceiptGoesOnFromTheLastOneOfItsValidator(t *testing.T) {
	g := founders(4)
	g.Members[3].Validator = false
	w := newWorld(t, g)
	chart := w.create("patient")
	w.must(chart)
	network := w.l.Network()
	own := func(name string) key.Log { return op.StoredLog(network, actor(name).Public()) }
	say := func(name string, upto uint64, missing, back []wire.Hash) *op.Operation {
		return w.sign(name, own(name), &op.Stored{Upto: upto, Missing: missing, Back: back})
	}
	here := func(x ...wire.Hash) []wire.Hash { return x }
	a, b := wire.Hash{1}, wire.Hash{2}
	w.refuse(ledger.UnknownLog, say("member0", 1, nil, nil))
	for i, name := range []string{"member0", "member1", "member3", "patient"} {
		w.must(w.sign(name, own(name), &op.Create{Salt: op.StoredSalt(), Ticket: w.ticket(i%3, op.CreateSubject(own(name)))}))
	}

	// Foreign: another's log, a chart, and who is no validator.
	says := &op.Stored{Upto: 1}
	w.refuse(ledger.WrongLogID, w.sign("member1", own("member0"), says))
	w.refuse(ledger.WrongLogID, w.sign("patient", chart.Log, says))
	w.refuse(ledger.NotValidator, say("member3", 1, nil, nil))
	w.refuse(ledger.NotValidator, say("patient", 1, nil, nil))

	// Ahead, saying nothing, back.
	w.refuse(ledger.OutOfLine, say("member0", w.l.Height()+1, nil, nil))
	w.refuse(ledger.OutOfLine, say("member0", 0, nil, nil))
	w.must(say("member0", 3, here(a), nil))
	w.refuse(ledger.OutOfLine, say("member0", 3, nil, nil))
	w.refuse(ledger.OutOfLine, say("member0", 2, nil, nil))
	w.refuse(ledger.OutOfLine, say("member0", 2, here(b), nil))
	w.refuse(ledger.OutOfLine, say("member0", 4, here(a), nil))
	w.refuse(ledger.OutOfLine, say("member0", 4, nil, here(b)))

	available := func(block uint64, blob wire.Hash, writer int, want bool) {
		t.Helper()
		if got, err := w.l.Available(block, blob, writer); err != nil || got != want {
			t.Errorf("block %d, blob %v, written by %d: available %v, %v", block, blob, writer, got, err)
		}
	}
	// Of three validators one may not even be silent: one other is enough.
	available(3, b, 1, true)
	available(3, b, 0, false) // its own word does not count
	available(3, a, 1, false)
	available(4, b, 1, false)
	w.must(say("member0", 3, nil, here(a)))
	available(3, a, 1, true)

	// In one block each stands on the one before it.
	results, _ := w.block(say("member0", 3, here(b), nil), say("member0", 3, here(b), nil), say("member0", 3, nil, here(b)), say("member0", 4, here(a), nil))
	for i, want := range []ledger.Code{ledger.OK, ledger.OutOfLine, ledger.OK, ledger.OK} {
		if results[i].Code != want {
			t.Errorf("receipt %d of the block: %v, want %v", i, results[i].Code, want)
		}
	}
	w.reopen()
	available(4, a, 1, false)
	available(4, b, 1, true)
	if upto, scarce, err := w.l.Unavailable(1); err != nil || upto != 4 || scarce != 1 {
		t.Errorf("others hold all up to %d but %d: %v", upto, scarce, err)
	}

	// What is taken back can be claimed again; what was lacking is lacking still.
	w.must(say("member0", 0, nil, nil))
	available(1, b, 1, false)
	w.refuse(ledger.OutOfLine, say("member0", 5, here(a), nil))
	w.must(say("member0", 5, nil, nil))
	available(4, a, 1, false)
	available(5, b, 1, true)
}

// Who destroys a record has every member delete its ciphertext: it must be nobody else's.
func TestARecordsCiphertextIsNamedOnceAndByNothingElse(t *testing.T) {
	w := newWorld(t, founders(4))
	w.makeKey()
	for _, who := range []string{"patient", "thief"} {
		w.must(w.create(who))
	}
	record := func(who, id string, blobs ...wire.Hash) *op.Operation {
		b := &op.Append{Epoch: 1, NetGen: 1}
		for i, h := range blobs {
			b.Records = append(b.Records, op.Record{ID: key.Record(seed(fmt.Sprint(id, i))), Blob: h})
		}
		return w.sign(who, w.logOf(who), b)
	}
	grant := func(who, to string, message wire.Hash) *op.Operation {
		return w.sign(who, w.logOf(who), &op.Grant{Terms: consent.Terms{Key: actor(to).Public(), Rights: consent.Read, Ranges: []consent.Range{{From: 0, To: consent.Forever}}}, Message: message})
	}
	read := func(who, of string, detail wire.Hash) *op.Operation {
		return w.sign(who, w.logOf(of), &op.Access{Ranges: []consent.Range{{From: 0, To: 1}}, Detail: detail})
	}
	letter, detail, blob, other := seed("letter"), seed("detail"), seed("blob"), seed("other")
	w.must(grant("patient", "hospital", letter))
	w.must(read("hospital", "patient", detail))
	w.must(record("patient", "r", blob))
	w.must(grant("thief", "lab", letter)) // a letter may be written twice

	for what, h := range map[string]wire.Hash{"a record's ciphertext": blob, "a grant's message": letter, "an access's detail": detail} {
		w.refuse(ledger.NamedBefore, record("thief", what, other, h))
	}
	w.refuse(ledger.NamedBefore, record("thief", "twice", other, other))
	w.refuse(ledger.NamedBefore, record("patient", "mine", blob))
	w.refuse(ledger.NamedBefore, grant("thief", "pharmacy", blob))
	w.refuse(ledger.NamedBefore, read("lab", "thief", blob))

	// In one block the first one has it.
	got, _ := w.block(record("patient", "s", other), record("thief", "s", other), grant("thief", "pharmacy", other))
	for i, want := range []ledger.Code{ledger.OK, ledger.NamedBefore, ledger.NamedBefore} {
		if got[i].Code != want {
			t.Errorf("operation %d of the block: %v, want %v", i, got[i].Code, want)
		}
	}
	w.reopen()
	w.refuse(ledger.NamedBefore, record("thief", "t", other))
}

func TestADeletionReceiptRisesAndTellsWhichDestructionsItMeans(t *testing.T) {
	g := founders(4)
	g.Members[3].Validator = false
	w := newWorld(t, g)
	chart := w.create("patient")
	w.must(chart)
	own := func(name string) key.Log { return op.StoredLog(w.l.Network(), actor(name).Public()) }
	say := func(name string, upto uint64) *op.Operation {
		return w.sign(name, own(name), &op.Deleted{Upto: upto})
	}
	w.refuse(ledger.UnknownLog, say("member0", 1))
	for i, name := range []string{"member0", "member1", "member3", "patient"} {
		w.must(w.sign(name, own(name), &op.Create{Salt: op.StoredSalt(), Ticket: w.ticket(i%3, op.CreateSubject(own(name)))}))
	}
	w.refuse(ledger.WrongLogID, w.sign("member1", own("member0"), &op.Deleted{Upto: 1}))
	w.refuse(ledger.WrongLogID, w.sign("patient", chart.Log, &op.Deleted{Upto: 1}))
	w.refuse(ledger.NotMember, say("patient", 1))
	w.refuse(ledger.OutOfLine, say("member0", 0))
	w.refuse(ledger.OutOfLine, say("member0", w.l.Height()+1))

	told := func(member int, upto, before uint64) {
		t.Helper()
		got, entry, err := w.l.Deleted(member)
		if err != nil || got != upto {
			t.Fatalf("member %d has deleted up to %d, want %d, %v", member, got, upto, err)
		}
		e, err := w.l.Entry(own(fmt.Sprint("member", member)), entry)
		if err != nil {
			t.Fatal(err)
		}
		if says := e.Says.(*op.Cleared); says.Upto != upto || says.Before != before || e.At < before {
			t.Errorf("member %d at %d: %+v, want up to %d, before %d", member, e.At, says, upto, before)
		}
	}
	timeOf := func(height uint64) (at uint64) {
		t.Helper()
		if err := w.l.BlockEntries(height, func(e *op.Entry) error { at = e.At; return nil }); err != nil || at == 0 {
			t.Fatal(height, at, err)
		}
		return at
	}
	// What is between is told by its first entry, however many blocks are empty; who holds records and is no validator says it too.
	before := w.l.Height()
	w.block()
	w.block()
	w.must(w.sign("owner", own("owner"), &op.Create{Salt: op.StoredSalt(), Ticket: w.ticket(0, op.CreateSubject(own("owner")))}))
	w.must(say("member3", before))
	told(3, before, timeOf(before+3))
	w.refuse(ledger.OutOfLine, say("member3", before))
	w.refuse(ledger.OutOfLine, say("member3", before-1))

	// Where nothing is between it is the receipt's own time. In one block each stands on the one before it.
	now := w.l.Height()
	results, _ := w.block(say("member0", now-1), say("member0", now-1), say("member1", now), say("member0", now))
	for i, want := range []ledger.Code{ledger.OK, ledger.OutOfLine, ledger.OK, ledger.OK} {
		if results[i].Code != want {
			t.Errorf("receipt %d of the block: %v, want %v", i, results[i].Code, want)
		}
	}
	w.reopen()
	told(0, now, timeOf(now+1))
	told(1, now, timeOf(now+1))
	told(3, before, timeOf(before+3))
	if upto, _, err := w.l.Deleted(2); upto != 0 || err != nil {
		t.Errorf("who said nothing has deleted up to %d, %v", upto, err)
	}
}

func TestOfFourValidatorsTwoOthersMustHoldIt(t *testing.T) {
	w := newWorld(t, founders(4))
	claim := func(name string) {
		log := op.StoredLog(w.l.Network(), actor(name).Public())
		w.must(w.sign(name, log, &op.Create{Salt: op.StoredSalt(), Ticket: w.ticket(0, op.CreateSubject(log))}))
		w.must(w.sign(name, log, &op.Stored{Upto: 1}))
	}
	for i, want := range []bool{false, false, true} { // member 0 writes, and its own word comes first
		claim(member(i))
		if got, err := w.l.Available(1, wire.Hash{1}, 0); err != nil || got != want {
			t.Errorf("after %d receipts: %v, %v", i+1, got, err)
		}
	}
	one := newWorld(t, founders(1))
	if got, err := one.l.Available(0, wire.Hash{1}, 0); err != nil || got {
		t.Errorf("alone: %v, %v", got, err)
	}
}
