package home_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/home"
	"vitalog/internal/testnet"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/section"
)

// patience is how long the tests wait for news.
const patience = time.Minute

// follows runs a client's Follow and gives what it hears, until the test ends or stop is called. ended gets why it was over.
func follows(t *testing.T, c *home.Client, known map[key.Log]uint64) (heard <-chan exchange.News, ended <-chan error, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	news, over := make(chan exchange.News, 64), make(chan error, 1)
	go func() {
		over <- c.Follow(ctx, known, func(n exchange.News) error {
			news <- n
			return nil
		})
	}()
	return news, over, cancel
}

// talker asks as a browser does, which says much of itself.
type talker struct{}

func (talker) RoundTrip(r *http.Request) (*http.Response, error) {
	for name, value := range map[string]string{"Cookie": "who=maria", "Accept-Language": "de", "User-Agent": "a browser", "Origin": "http://localhost", "Referer": "http://localhost/record"} {
		r.Header.Set(name, value)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// witness notes what goes on to the member. Its calls are made one after the other.
type witness struct{ headers []http.Header }

func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	h := r.Header.Clone()
	if h["User-Agent"] == nil { // as net/http has it for none
		delete(h, "User-Agent")
	}
	w.headers = append(w.headers, h)
	return http.DefaultTransport.RoundTrip(r)
}

func within[T any](t *testing.T, limit time.Duration, c <-chan T, what string) (x T) {
	t.Helper()
	select {
	case x = <-c:
	case <-time.After(limit):
		t.Fatalf("%s: nothing came within %v", what, limit)
	}
	return x
}

func TestAnAppHearsThatItsLogsGrew(t *testing.T) {
	net := testnet.Start(t, 1, 0)
	n := net.Nodes[0]
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	ring, err := keyring.CreatePatient(filepath.Join(t.TempDir(), "keyring"), testnet.Passphrase(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Join(n.Genesis.Network()); err != nil {
		t.Fatal(err)
	}
	keys, err := ring.Own()
	if err != nil {
		t.Fatal(err)
	}
	c := home.Dial(n.Config.URL(), n.Genesis, 0, http.DefaultClient)
	p := exchange.NewPatient(c, keys)

	// Logs that aren't there yet are followed like others.
	nothing := map[key.Log]uint64{}
	for _, s := range section.All() {
		nothing[keys.Log(s)] = 0
	}
	heard, ended, stop := follows(t, c, nothing)
	if err := p.Enrol(ctx); err != nil {
		t.Fatal(err)
	}
	sizes := map[key.Log]uint64{}
	for len(sizes) < len(nothing) {
		x := within(t, patience, heard, "the logs of a patient who enrolled")
		if x.Size <= sizes[x.Log] || x.Block == 0 {
			t.Errorf("after %d entries it is told of %d in block %d", sizes[x.Log], x.Size, x.Block)
		}
		sizes[x.Log] = x.Size
	}

	r, err := fhir.Parse([]byte(`{"resourceType":"Observation","status":"final"}`))
	if err != nil {
		t.Fatal(err)
	}
	at, err := p.Publish(ctx, []exchange.Draft{{Resource: r, ID: "a", Section: section.Vitals}})
	if err != nil {
		t.Fatal(err)
	}
	want := exchange.News{Log: at[0].Log, Size: at[0].Entry + 1, Block: at[0].Block}
	if got := within(t, patience, heard, "a record"); got != want {
		t.Errorf("a record: got %+v, want %+v", got, want)
	}
	stop()
	if err := within(t, patience, ended, "the end"); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}

	// What came while nobody listened is told at once, and only that; by way of a relay too, which lets go when it ends.
	base, err := url.Parse(n.Config.URL())
	if err != nil {
		t.Fatal(err)
	}
	seen := &witness{}
	relay := home.NewRelay(base, n.Genesis, 0, seen)
	way := httptest.NewServer(relay)
	defer way.Close()
	late, ended, _ := follows(t, home.Dial(way.URL, n.Genesis, 0, &http.Client{Transport: talker{}}), sizes)
	if got := within(t, patience, late, "what came meanwhile"); got != want {
		t.Errorf("what came meanwhile: got %+v, want %+v", got, want)
	}
	relay.Close()
	if err := within(t, patience, ended, "the stream of a relay that ends"); !errors.Is(err, home.ErrUnreachable) {
		t.Errorf("the stream of a relay that ended: %v", err)
	}
	for _, h := range seen.headers {
		for name := range h {
			if name != "Content-Length" && name != "Content-Type" {
				t.Errorf("the relay sends on %s: %q", name, h[name])
			}
		}
	}
	if g, member, err := home.Discover(ctx, way.URL, http.DefaultClient); err != nil || member != 0 || g.Network() != n.Genesis.Network() || len(seen.headers) != 1 {
		t.Errorf("the genesis of a relay: %v, member %d, %d calls of the member, %v", g, member, len(seen.headers), err)
	}

	// One who follows doesn't keep the member from stopping.
	_, ended, _ = follows(t, c, nothing)
	stopped := make(chan error, 1)
	go func() { stopped <- n.Close() }()
	if err := within(t, time.Minute, stopped, "stopping"); err != nil {
		t.Error(err)
	}
	if err := within(t, patience, ended, "the stream of a member that stops"); !errors.Is(err, home.ErrUnreachable) {
		t.Errorf("the stream of a member that stopped: %v", err)
	}
	net.Nodes[0] = nil
}

func TestFollowingIsBoundedAndItsRoomComesBack(t *testing.T) {
	n := testnet.Start(t, 1, 0).Nodes[0]
	ask := func(ctx context.Context, body []byte) *http.Response {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.Config.URL()+"/app/v1/follow", strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	logs := func(count int) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(count))
		for i := range count {
			b = append(binary.BigEndian.AppendUint32(b, uint32(i)), make([]byte, 36)...)
		}
		return b
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for what, body := range map[string][]byte{"no logs": logs(0), "65 logs": logs(65), "half a log": logs(1)[:30], "more than the logs": append(logs(1), 0), "one log twice": append(append([]byte{0, 0, 0, 2}, logs(1)[4:]...), logs(1)[4:]...)} {
		resp := ask(ctx, body)
		resp.Body.Close()
		if resp.StatusCode < 400 || resp.StatusCode >= 500 {
			t.Errorf("%s: %s", what, resp.Status)
		}
	}

	// Streams of logs that nobody has: each begins with a heartbeat.
	taken := 0
	for ; taken <= 1024; taken++ {
		resp := ask(ctx, logs(64))
		if resp.StatusCode == http.StatusTooManyRequests {
			resp.Body.Close()
			break
		}
		var beat [48]byte
		if _, err := io.ReadFull(resp.Body, beat[:]); err != nil || beat != [48]byte{} || resp.StatusCode != http.StatusOK {
			t.Fatalf("stream %d: %s, %x, %v", taken, resp.Status, beat, err)
		}
	}
	if taken != 1024 {
		t.Errorf("%d streams at once, want 1024", taken)
	}
	cancel()
	last := time.Now().Add(time.Minute)
	for code := http.StatusTooManyRequests; code == http.StatusTooManyRequests; {
		ctx, cancel := context.WithCancel(context.Background())
		resp := ask(ctx, logs(1))
		code = resp.StatusCode
		cancel()
		resp.Body.Close()
		if code == http.StatusTooManyRequests && time.Now().After(last) {
			t.Fatal("those who went still take the room")
		}
	}
}
