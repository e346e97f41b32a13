package ledger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/ledger"
	"vitalog/op"
	"vitalog/ticket"
)

// A story is a text of lines "ACTOR VERB ARGUMENT…  →  OUTCOME" (with -> for the arrow). Each line is a block. The outcome is ok, a code
// in words, or what an access was answered. Lines without an actor:
//
//	param NAME VALUE         before the first block
//	key                      the members make the network key
//	at CLOCK                 hours:minutes[:seconds] since the story began
//	again -> OUTCOME         the last operation once more
//	reopen                   the ledger from its store
//	expect head FIELD VALUE  size, epoch, grants, erased, kept
//	expect entries KIND…     of the log, all of them
//	expect entry N WORDS     number, kind and what matters
//
// All act in the log of "owner". Any operation may end with "expires CLOCK" (default: a minute from now).
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
			s := &story{g: founders(1), t: t}
			for i, line := range strings.Split(string(b), "\n") {
				line, _, _ = strings.Cut(line, "#")
				if line = strings.TrimSpace(line); line == "" {
					continue
				}
				do, want, _ := strings.Cut(line, "->")
				got, err := s.line(strings.Fields(do))
				if err != nil {
					t.Fatalf("%s:%d: %s: %v", f, i+1, line, err)
				}
				if want = strings.TrimSpace(want); got != want {
					t.Errorf("%s:%d: %s: got %q", f, i+1, line, got)
				}
			}
		})
	}
}

type story struct {
	*world
	t    *testing.T
	g    *op.Genesis
	last *op.Operation
}

// line does what the words say and returns the outcome.
func (s *story) line(words []string) (string, error) {
	if words[0] == "param" {
		return "", s.param(words[1], words[2])
	}
	if s.world == nil {
		s.world = newWorld(s.t, s.g)
	}
	switch words[0] {
	case "key":
		s.makeKey()
		return "", nil
	case "at":
		ms, err := clock(words[1])
		s.clock = ms
		return "", err
	case "reopen":
		s.reopen()
		return "", nil
	case "again":
		return s.submit(s.last)
	case "expect":
		return "", s.expect(words[1], words[2:])
	}
	by, expires := words[0], s.clock+60_000
	if n := len(words); n > 3 && words[n-2] == "expires" {
		var err error
		if expires, err = clock(words[n-1]); err != nil {
			return "", err
		}
		words = words[:n-2]
	}
	body, err := s.body(by, words[1], words[2:])
	if err != nil {
		return "", err
	}
	log := s.logOf("owner")
	switch words[1] {
	case "create-elsewhere":
		log[0]++
	case "rotate-nowhere":
		log = key.Log{}
	}
	return s.submit(op.Sign(s.g.Network(), actor(by), log, expires, body))
}

func (s *story) param(name, value string) error {
	n, err := strconv.ParseUint(value, 10, 32)
	switch name {
	case "logOperations":
		s.g.Params.LogOperations = uint32(n)
	case "logBytes":
		s.g.Params.LogBytes = n
	case "logsPerMember":
		s.g.Params.LogsPerMember = n
	default:
		return fmt.Errorf("no parameter %s", name)
	}
	return err
}

// submit makes a block of one operation. A refused one must have left no trace, and Check must have said the same.
func (s *story) submit(o *op.Operation) (string, error) {
	decoded, err := op.Decode(s.g.Network(), o.Encode(s.g.Network()))
	if err != nil {
		return "", err
	}
	s.last = o
	before, checked := s.l.State(), s.l.CheckAt(s.clock, decoded)
	results, b := s.block(decoded)
	r := results[0]
	if (checked == nil) != (r.Err() == nil) {
		return "", fmt.Errorf("checked: %v, executed: %v", checked, r.Err())
	}
	if r.Code != ledger.OK {
		after := s.l.State()
		if after.Heads != before.Heads || after.Count != before.Count || len(b.Entries) > 0 {
			return "", fmt.Errorf("refused with %v, but it left a trace", r.Err())
		}
		return r.Code.String(), nil
	}
	if _, ok := o.Body.(*op.Access); !ok {
		return "ok", nil
	}
	if r.Count == 0 {
		return "counted", nil
	}
	e, err := s.l.Entry(r.Log, r.First)
	if err != nil {
		return "", err
	}
	switch a := e.Says.(*op.Accessed); {
	case a.Why == consent.Allowed:
		return fmt.Sprintf("allowed under %d", a.Grant), nil
	default:
		return fmt.Sprintf("refused: %v", a.Why), nil
	}
}

func (s *story) body(by, verb string, args []string) (op.Body, error) {
	net, log, me := s.g.Network(), s.logOf("owner"), actor(by).Public()
	opt := func(name, otherwise string) string {
		for i := 0; i+1 < len(args); i++ {
			if args[i] == name {
				return args[i+1]
			}
		}
		return otherwise
	}
	num := func(name, otherwise string) uint64 {
		n, err := strconv.ParseUint(opt(name, otherwise), 10, 64)
		if err != nil {
			s.t.Fatal(err)
		}
		return n
	}
	switch verb {
	case "create", "create-elsewhere":
		return &op.Create{EpochKey: seed(by), Ticket: s.ticket(0, op.CreateSubject(log))}, nil
	case "create-with-ticket-for-another-log":
		return &op.Create{EpochKey: seed(by), Ticket: s.ticket(0, op.CreateSubject(key.Log{9}))}, nil
	case "create-with-ticket-of-nobody":
		k := s.ticket(0, op.CreateSubject(log))
		k.Issuer = 7
		return &op.Create{EpochKey: seed(by), Ticket: k}, nil
	case "append":
		b := &op.Append{Epoch: uint32(num("epoch", "1")), NetGen: uint32(num("netgen", "1"))}
		for _, a := range args {
			if strings.HasPrefix(a, "r") {
				b.Records = append(b.Records, op.Record{ID: key.Record(seed(a)), Core: seed("core " + a), Blob: seed("blob " + a), Size: 12})
			}
		}
		return b, nil
	case "grant":
		ranges, err := ranges(args)
		b := &op.Grant{Terms: consent.Terms{Key: actor(args[0]).Public(), Rights: rights(args[1]), Ranges: ranges, Uses: uint32(num("uses", "0")), Parent: num("parent", "0")}}
		for _, c := range []struct {
			name string
			to   *uint64
		}{{"from", &b.From}, {"until", &b.Until}} {
			if v := opt(c.name, ""); v != "" && err == nil {
				*c.to, err = clock(v)
			}
		}
		return b, err
	case "revoke":
		n, err := strconv.ParseUint(args[0], 10, 64)
		return &op.Revoke{Grant: n}, err
	case "access":
		ranges, err := ranges(args)
		return &op.Access{Grant: num("grant", "0"), Ranges: ranges, Session: seed("session"), Detail: seed("detail")}, err
	case "rotate", "rotate-nowhere":
		return &op.Rotate{Epoch: uint32(num("epoch", "2")), EpochKey: seed("epoch")}, nil
	case "rekey-owner":
		return op.NewRekeyOwner(net, log, me, actor(args[0])), nil
	case "rekey-grantee":
		return op.NewRekeyGrantee(net, log, me, actor(args[0])), nil
	case "rekey-owner-without-consent-of": // the proof is for another log
		b := op.NewRekeyOwner(net, key.Log{}, me, actor(args[0]))
		return b, nil
	case "rekey-grantee-without-consent-of":
		return op.NewRekeyGrantee(net, log, actor("somebody").Public(), actor(args[0])), nil
	case "block", "destroy":
		ranges, err := ranges(args)
		if verb == "block" {
			return op.NewBlock(ranges...), err
		}
		return op.NewDestroy(ranges...), err
	case "keep":
		ranges, err := ranges(args)
		b := &op.Keep{Destroy: num("of", "0"), Ranges: ranges}
		if years := num("years", "0"); years > 0 {
			b.Until = s.clock + years*uint64(op.MaxKeep.Milliseconds())/100
		} else if err == nil {
			b.Until, err = clock(opt("until", ""))
		}
		return b, err
	case "post":
		return &op.Post{Message: seed(by), Size: uint32(num("size", "100")), Ticket: s.ticket(0, op.PostSubject(log, me))}, nil
	case "post-without-ticket":
		return &op.Post{Message: seed(by), Size: 100, Ticket: ticket.Ticket{}}, nil
	case "post-with-ticket-of":
		return &op.Post{Message: seed(by), Size: 100, Ticket: s.ticket(0, op.PostSubject(log, actor(args[0]).Public()))}, nil
	case "tick":
		return &op.Tick{Gen: 1}, nil
	}
	return nil, fmt.Errorf("no verb %s", verb)
}

func (s *story) expect(what string, args []string) error {
	h, err := s.l.Head(s.logOf("owner"))
	if err != nil {
		return err
	}
	if h == nil {
		h = &op.Head{}
	}
	var got string
	want := strings.Join(args, " ")
	switch what {
	case "head":
		want = strings.Join(args[1:], " ")
		got = map[string]string{"size": fmt.Sprint(h.Size), "epoch": fmt.Sprint(h.Epoch), "grants": fmt.Sprint(len(h.Grants)), "erased": text(h.Erased), "kept": s.kept(h.Kept)}[args[0]]
	case "entries":
		var kinds []string
		err = s.l.Entries(h.Log, 0, h.Size, func(e *op.Entry) error {
			kinds = append(kinds, e.Says.Kind().String())
			return nil
		})
		got = strings.Join(kinds, " ")
	case "refusals": // entry N: how many
		n, err := strconv.ParseUint(args[0], 10, 64)
		if err != nil {
			return err
		}
		e, err := s.l.Entry(h.Log, n)
		if err != nil {
			return err
		}
		want, got = args[1], fmt.Sprint(e.Says.(*op.Refusals).Count)
	default:
		return fmt.Errorf("cannot expect %s", what)
	}
	if got != want {
		return fmt.Errorf("got %s", got)
	}
	return err
}

func clock(s string) (uint64, error) {
	h, m, _ := strings.Cut(s, ":")
	m, sec, ok := strings.Cut(m, ":")
	if !ok {
		sec = "0"
	}
	d, err := time.ParseDuration(h + "h" + m + "m" + sec + "s")
	return start + uint64(d.Milliseconds()), err
}

// ranges reads [2,5) and [2,-), the latter without end.
func ranges(args []string) (out []consent.Range, err error) {
	for _, a := range args {
		if !strings.HasPrefix(a, "[") {
			continue
		}
		from, to, _ := strings.Cut(strings.Trim(a, "[)"), ",")
		r := consent.Range{To: consent.Forever}
		if r.From, err = strconv.ParseUint(from, 10, 64); err == nil && to != "-" {
			r.To, err = strconv.ParseUint(to, 10, 64)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// kept tells who keeps what.
func (s *story) kept(kept []consent.Kept) string {
	var out []string
	for _, x := range kept {
		for _, name := range []string{"hospital", "hospital2", "lab"} {
			if actor(name).Public() == x.Key {
				out = append(out, fmt.Sprintf("%s [%d,%d)", name, x.From, x.To))
			}
		}
	}
	return strings.Join(out, " ")
}

func text(rs []consent.Range) string {
	var out []string
	for _, r := range rs {
		out = append(out, fmt.Sprintf("[%d,%d)", r.From, r.To))
	}
	return strings.Join(out, " ")
}

func rights(s string) (r consent.Rights) {
	for _, name := range strings.Split(s, ",") {
		for bit := consent.Rights(1); bit <= consent.AllRights; bit <<= 1 {
			if bit.String() == name {
				r |= bit
			}
		}
	}
	return r
}
