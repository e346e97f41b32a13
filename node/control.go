package node

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"vitalog/consensus"
	"vitalog/exchange"
	"vitalog/gateway"
	"vitalog/grant"
	"vitalog/key"
	"vitalog/op"
	"vitalog/section"
	"vitalog/wire"
)

// ControlPrefix is where the member's own operators talk to the running member. It takes tokens that are made with the keyring.
const ControlPrefix = "/control/v1/"

// ControlRole is the role in an operator's token.
const ControlRole = "operator"

// Status is what 'vitalog status' shows.
type Status struct {
	Schema    string           `json:"schema"`
	Name      string           `json:"name"`
	Number    int              `json:"number"`
	Kind      string           `json:"kind"`
	Validator bool             `json:"validator"`
	Network   key.Network      `json:"network"`
	API       string           `json:"api"`
	Ready     bool             `json:"ready"`
	Why       string           `json:"why,omitempty"` // not ready
	Chain     consensus.Status `json:"chain"`
	Disk      string           `json:"disk,omitempty"`     // why no writes are taken
	Free      uint64           `json:"diskFree,omitempty"` // bytes; absent where the system doesn't tell
	Reserve   uint64           `json:"diskReserve"`        // bytes below which no writes are taken
	Logs      uint64           `json:"logs"`
	NetGen    uint32           `json:"networkKeyGeneration"`
	Missing   int              `json:"missing"` // ciphertexts and headers still to be fetched
	Patients  int              `json:"patients"`

	Incidents exchange.Incidents `json:"incidents"` // what was found damaged in the member's own stores

	Availability *exchange.Availability `json:"availability,omitempty"` // absent for the only validator
}

// shownIncidents is how many incidents a status lists.
const shownIncidents = 20

// Status tells how the member is doing.
func (n *Node) Status() (*Status, error) {
	m := n.Genesis.Members[n.Number]
	s := &Status{Schema: "vitalog.status/v1", Name: m.Name, Number: n.Number, Kind: string(m.Kind), Validator: m.Validator, Network: n.Genesis.Network(),
		API: n.Config.URL(), Ready: true, Chain: n.Chain.Status(), Reserve: n.reserve(), Logs: n.Chain.Ledger().Logs()}
	if err := n.Ready(); err != nil {
		s.Ready, s.Why = false, err.Error()
	}
	if err := n.Room(); err != nil {
		s.Disk = err.Error()
	}
	if free, err := n.free(); err == nil {
		s.Free = free
	}
	if k := n.Chain.Ledger().NetworkKey(0); k != nil {
		s.NetGen = k.Gen
	}
	s.Incidents = n.Member.Incidents(shownIncidents)
	var err error
	if s.Availability, err = n.availability(); err != nil {
		return nil, err
	}
	if s.Missing, err = n.Member.Missing(); err != nil {
		return nil, err
	}
	charts, err := n.Member.Charts()
	s.Patients = len(charts)
	return s, err
}

// VerifyLine is one line of the answer to a verification: how far it is, a damage, or at the end what was looked at. After an error no end
// comes.
type VerifyLine struct {
	Schema   string            `json:"schema"`
	Progress *exchange.Checked `json:"progress,omitempty"`
	Damage   *exchange.Damage  `json:"damage,omitempty"`
	Checked  *exchange.Checked `json:"checked,omitempty"`  // the last line
	Error    string            `json:"error,omitempty"`    // the last line too
	NoQuorum bool              `json:"noQuorum,omitempty"` // with Error: too few validators are reachable
}

// Card is a new claim card. Its code is a secret: it goes to the operator who hands it to the patient, and nowhere else.
type Card struct {
	Schema string `json:"schema"`
	Chart  string `json:"chart"`
	Code   string `json:"code"`
}

// Anchored is the release of the patient's app that this member has on the ledger.
type Anchored struct {
	Schema  string `json:"schema"`
	Release string `json:"release"`
}

// AnchorApp puts the release of the patient's app that this member hands out on the ledger, where it isn't the newest that it put there.
func (n *Node) AnchorApp(ctx context.Context) error {
	release, err := hex.DecodeString(n.app.Release())
	if err != nil {
		return err
	}
	return n.Member.Anchor(ctx, op.UsePortal, wire.Hash(release))
}

// MaxAwaited is how many resources one question may be about.
const MaxAwaited = 1000

// AwaitOrder asks for resources to become available.
type AwaitOrder struct {
	Resources []string `json:"resources"` // Observation/0b6e…, at most MaxAwaited
}

// Awaited tells how many of those that are in a chart are available, in the newest version that the member knows.
type Awaited struct {
	Schema    string `json:"schema"`
	Asked     int    `json:"asked"`
	Available int    `json:"available"`
}

// awaitAtOnce is how long one answer waits: the client asks again.
const awaitAtOnce = 20 * time.Second

func (n *Node) awaitAvailable(r *http.Request) (*Awaited, error) {
	var o AwaitOrder
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20)).Decode(&o); err != nil {
		return nil, fmt.Errorf("%w: %w", exchange.ErrInvalid, err)
	}
	if len(o.Resources) > MaxAwaited {
		return nil, fmt.Errorf("%w: %d resources, at most %d", exchange.ErrInvalid, len(o.Resources), MaxAwaited)
	}
	var at []exchange.Location
	for _, name := range o.Resources {
		kind, id, _ := strings.Cut(name, "/")
		x, known, err := n.Member.Locate(kind, id)
		if err != nil {
			return nil, err
		}
		if known {
			at = append(at, x)
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), awaitAtOnce)
	defer cancel()
	left, err := n.Member.AwaitAvailable(ctx, at...)
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	return &Awaited{Schema: "vitalog.available/v1", Asked: len(at), Available: len(at) - len(left)}, err
}

// RequestOrder asks for a consent request to be posted.
type RequestOrder struct {
	Handle   string         `json:"handle,omitempty"`  // the patient's card, or
	Patient  string         `json:"patient,omitempty"` // a chart known here
	Asker    exchange.Asker `json:"asker"`
	Sections []string       `json:"sections"`
	Lasts    uint64         `json:"lastsMs,omitempty"`
	Uses     uint32         `json:"uses,omitempty"`
}

// control answers the member's own operators.
func (n *Node) control() http.Handler {
	mux := http.NewServeMux()
	route := func(pattern string, f http.HandlerFunc) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+ControlPrefix+path, func(w http.ResponseWriter, r *http.Request) {
			who, err := gateway.ReadToken(n.Ring.Tokens().Public(), n.Member.Name(), n.Config.URL()+"/fhir", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), time.Now())
			if err != nil || who.Role != ControlRole || who.Client != "" {
				http.Error(w, "an operator's token is needed", http.StatusUnauthorized)
				return
			}
			f(w, r)
		})
	}
	handle := func(pattern string, f func(ctx context.Context, r *http.Request) (any, error)) {
		route(pattern, func(w http.ResponseWriter, r *http.Request) {
			answer, err := f(r.Context(), r)
			if err != nil {
				http.Error(w, err.Error(), statusOf(err))
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(answer) // the client is gone otherwise
		})
	}
	handle("GET status", func(context.Context, *http.Request) (any, error) { return n.Status() })
	handle("GET storage", func(ctx context.Context, r *http.Request) (any, error) {
		return n.Storage(ctx, r.URL.Query().Get("check") == "true")
	})
	route("GET metrics", n.metrics)
	route("POST storage", n.work)
	route("POST verify", n.verify)
	route("POST index", n.reindex)
	handle("GET kept", func(context.Context, *http.Request) (any, error) { return n.Kept(), nil })
	route("POST kept", n.openKept)
	handle("POST card", func(_ context.Context, r *http.Request) (any, error) {
		card, err := n.Member.IssueCard(r.URL.Query().Get("chart"))
		if err != nil {
			return nil, err
		}
		return &Card{Schema: "vitalog.claim-card/v1", Chart: card.Chart, Code: card.Code()}, nil
	})
	handle("POST anchor", func(ctx context.Context, _ *http.Request) (any, error) {
		return &Anchored{Schema: "vitalog.anchored/v1", Release: n.app.Release()}, n.AnchorApp(ctx)
	})
	handle("POST available", func(_ context.Context, r *http.Request) (any, error) { return n.awaitAvailable(r) })
	handle("GET clients", func(context.Context, *http.Request) (any, error) { return n.Smart.Clients() })
	handle("POST clients", func(_ context.Context, r *http.Request) (any, error) { return n.addClient(r) })
	handle("DELETE clients", func(_ context.Context, r *http.Request) (any, error) {
		return struct{}{}, n.Smart.Remove(r.URL.Query().Get("client"))
	})
	handle("POST followed", func(ctx context.Context, r *http.Request) (any, error) {
		block, err := strconv.ParseUint(r.URL.Query().Get("block"), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: block: %w", exchange.ErrInvalid, err)
		}
		return map[string]any{"schema": "vitalog.followed/v1", "block": block}, n.Member.Followed(ctx, block)
	})
	handle("POST request", func(ctx context.Context, r *http.Request) (any, error) {
		var o RequestOrder
		if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<16)).Decode(&o); err != nil {
			return nil, fmt.Errorf("%w: %w", exchange.ErrInvalid, err)
		}
		to, err := n.handle(o)
		if err != nil {
			return nil, err
		}
		wish := exchange.Wish{Lasts: o.Lasts, Uses: o.Uses}
		for _, name := range o.Sections {
			s, err := section.Parse(name)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", exchange.ErrInvalid, err)
			}
			wish.Sections = append(wish.Sections, s)
		}
		id, err := n.Member.Request(ctx, o.Asker, to, wish)
		return map[string]string{"schema": "vitalog.request/v1", "request": fmt.Sprintf("%x", id)}, err
	})
	return mux
}

// statusOf is what an operator's request fails with.
func statusOf(err error) int {
	_, refused := errors.AsType[*exchange.Refused](err)
	switch {
	case refused:
		return http.StatusForbidden
	case errors.Is(err, exchange.ErrNotShared):
		return http.StatusNotFound
	case errors.Is(err, exchange.ErrInvalid):
		return http.StatusBadRequest
	case errors.Is(err, exchange.ErrAlone):
		return http.StatusConflict
	}
	return http.StatusInternalServerError
}

// inLines has an answer be JSON lines that go out one by one, because the last may be hours away.
func inLines(w http.ResponseWriter) (line func(any) error) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	c, lines := http.NewResponseController(w), json.NewEncoder(w)
	return func(l any) error {
		err := errors.Join(c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Now().Add(patience)), lines.Encode(l))
		return errors.Join(err, c.Flush())
	}
}

// verify tells what it finds as it goes.
func (n *Node) verify(w http.ResponseWriter, r *http.Request) {
	line := inLines(w)
	say := func(l VerifyLine) error {
		l.Schema = "vitalog.verify/v1"
		return line(l)
	}
	told := time.Time{}
	v := exchange.Verification{All: r.URL.Query().Get("all") == "true", Heal: r.URL.Query().Get("heal") == "true"}
	checked, err := n.Member.Verify(r.Context(), v,
		func(d exchange.Damage) error { return say(VerifyLine{Damage: &d}) },
		func(k exchange.Checked) error {
			if time.Since(told) < progressEvery {
				return nil
			}
			told = time.Now()
			return say(VerifyLine{Progress: &k})
		})
	if err != nil {
		_ = say(VerifyLine{Error: err.Error(), NoQuorum: errors.Is(err, consensus.ErrNoQuorum)}) // the client is gone otherwise
		return
	}
	_ = say(VerifyLine{Checked: &checked})
}

const (
	progressEvery = time.Second // between two lines that tell progress
	patience      = time.Minute // for a client to take a line
)

func (n *Node) handle(o RequestOrder) (grant.Handle, error) {
	if o.Handle != "" {
		h, err := grant.ParseHandle(o.Handle)
		if err != nil {
			return h, fmt.Errorf("%w: %w", exchange.ErrInvalid, err)
		}
		return h, nil
	}
	return n.Member.Handle(o.Patient)
}
