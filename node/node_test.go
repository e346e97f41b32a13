package node_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"vitalog/blobstore"
	"vitalog/cloud"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/node"
	"vitalog/op"
	"vitalog/section"
)

const passphrase = "a member's passphrase"

// found makes the directory of a network of one.
func found(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "member")
	if _, err := node.Found("One", op.DefaultParams, []node.Founder{{Dir: dir, Name: "Only Hospital", Kind: op.Provider, Validator: true, Passphrase: []byte(passphrase)}}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func start(dir, pass string) (*node.Node, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n, err := node.Start(ctx, dir, []byte(pass), node.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return n, n.WaitReady(ctx)
}

func TestAMemberAloneMakesItsKeyAndKeepsWhatItAcknowledged(t *testing.T) {
	dir := found(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	n, err := start(dir, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if k := n.Chain.Ledger().NetworkKey(0); k.K != 1 || len(k.Holders) != 1 {
		t.Errorf("a network of one needs %d of %d shares", k.K, len(k.Holders))
	}
	chart, err := n.Member.Enrol(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r, err := fhir.Parse([]byte(`{"resourceType":"Observation","status":"final","code":{"text":"pulse"},"valueQuantity":{"value":60.0}}`))
	if err != nil {
		t.Fatal(err)
	}
	who := exchange.Asker{Practitioner: "p", Name: "P", Role: "physician", Purpose: exchange.Treat}
	if _, err := n.Member.Publish(ctx, who, chart, []exchange.Draft{{Resource: r, ID: "pulse-1", Section: section.Vitals, Group: "a"}}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		resp, err := http.Get(n.Config.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s answers %s", path, resp.Status)
		}
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err = start(dir, passphrase); err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	opened, err := n.Member.Open(ctx, who, chart, exchange.Want{Sections: []section.Section{section.Vitals}})
	if err != nil {
		t.Fatal(err)
	}
	if opened.Chart.Get("Observation", "pulse-1") == nil {
		t.Error("what was acknowledged is not there after a restart")
	}
}

// A port that somebody has is named, and everything that was opened before is let go of: the member starts when the port is free.
func TestATakenPortIsNamedAndNothingStaysOpen(t *testing.T) {
	dir := found(t)
	config, err := node.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, address := range map[string]string{"software": config.API, "members": config.Peer, "engine": config.Consensus} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		n, err := start(dir, passphrase)
		if err == nil {
			n.Close()
			t.Fatalf("%s: it started on a port that is taken", name)
		}
		if _, port, _ := net.SplitHostPort(address); !strings.Contains(err.Error(), port) {
			t.Errorf("%s: %q does not name the port %s", name, err, port)
		}
		l.Close()
	}
	n, err := start(dir, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := n.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	}
}

// The consensus engine leaves a few goroutines of its own behind; this program's all end.
func TestAClosedMemberLeavesNoGoroutine(t *testing.T) {
	dir := found(t)
	n, err := start(dir, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Member.Enrol(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	ours := func() (out []string) {
		stacks := make([]byte, 4<<20)
		all := strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n")
		for _, g := range all[1:] { // the first is this one
			if strings.Contains(g, "\nvitalog/") && !strings.Contains(g, "vitalog/node_test") {
				out = append(out, g)
			}
		}
		return out
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for len(ours()) > 0 {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("after closing:\n%s", strings.Join(ours(), "\n\n"))
		}
	}
}

func TestADirectoryIsRefusedWithTheReason(t *testing.T) {
	edit := func(old, new string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, node.ConfigFile)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(b), old, new, 1)
			if changed == string(b) {
				t.Fatalf("%q is not in the configuration", old)
			}
			if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name, want string
		spoil      func(t *testing.T, dir string)
	}{
		{"a newer format", "format 3", edit("format = 2", "format = 3")},
		{"plain HTTP off localhost", "not localhost", edit(`api = "localhost`, `api = "192.0.2.1`)},
		{"an unknown setting", "colour", edit("log_level", "colour = \"red\"\nlog_level")},
		{"a retention without a unit", "years or days", edit(`retention = ""`, `retention = "10"`)},
		{"no configuration", "vitalog init", func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, node.ConfigFile)) }},
		{"a newer genesis", "newer program", func(t *testing.T, dir string) {
			path := filepath.Join(dir, node.GenesisFile)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(string(b), `"version": 1`, `"version": 2`, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"somebody else's keyring", "no member in the genesis", func(t *testing.T, dir string) {
			path := filepath.Join(dir, node.KeyringFile)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if _, err := keyring.Create(path, []byte(passphrase)); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := found(t)
			c.spoil(t, dir)
			n, err := start(dir, passphrase)
			if err == nil {
				n.Close()
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("the reason is %q, want %q in it", err, c.want)
			}
		})
	}
}

func TestAWrongPassphraseOpensNothing(t *testing.T) {
	if _, err := start(found(t), "another passphrase"); !errors.Is(err, keyring.ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
}

func TestADirectoryWithAMemberIsNotFoundedAgain(t *testing.T) {
	dir := found(t)
	_, err := node.Found("Again", op.DefaultParams, []node.Founder{{Dir: dir, Name: "Other", Kind: op.Lab, Validator: true, Passphrase: []byte(passphrase)}})
	if err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("got %v", err)
	}
}

// What Prometheus reads is its format, tells of the bucket what happened, and names nobody.
func TestMetricsTellHowAMemberIsAndNothingOfAPatient(t *testing.T) {
	dir := found(t)
	config, err := node.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	bucket := filepath.Join(t.TempDir(), "bucket")
	config.Metrics, config.Bucket = l.Addr().String(), "file://"+bucket
	l.Close()
	if err := config.Save(dir); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	options := node.Options{Log: slog.New(slog.DiscardHandler), Schedule: blobstore.Schedule{List: 20 * time.Millisecond, Again: time.Millisecond}, Cloud: func(ctx context.Context, url string) (*cloud.Bucket, error) {
		return cloud.Open(ctx, url, cloud.Options{Tries: 3, Pause: time.Millisecond})
	}}
	n, err := node.Start(ctx, dir, []byte(passphrase), options)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close() // again, if all goes well
	if err := n.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Member.Enrol(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range 2 { // the first is dead in its pack
		if err := n.Store.PutHeader(key.Log{1}, key.Record{1}, make([]byte, 1000+i)); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Store.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	// The bucket was away, and isn't any more.
	until := func(away bool) {
		t.Helper()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for n.Store.Status().Away.IsZero() == away {
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatal(ctx.Err())
			}
		}
	}
	for _, away := range []bool{true, false} {
		from, to := bucket, bucket+"-away"
		if !away {
			from, to = to, from
		}
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
		until(away)
	}
	if _, err := n.Store.Put(make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
	is, err := n.Storage(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	get := func(url string) (string, int, string) {
		t.Helper()
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b), resp.StatusCode, resp.Header.Get("Content-Type")
	}
	text, status, kind := get("http://" + config.Metrics + "/metrics")
	if status != http.StatusOK || kind != "text/plain; version=0.0.4; charset=utf-8" || !strings.HasSuffix(text, "\n") {
		t.Fatalf("got %d, %s: %.200s", status, kind, text)
	}
	line := regexp.MustCompile(`^(?:# HELP (vitalog_[a-z_]+) [^\\]+|# TYPE (vitalog_[a-z_]+) (?:gauge|counter)|(vitalog_[a-z_]+)(?:\{[a-z]+="[a-z0-9]+"\})? [0-9.e+]+)$`)
	values, family := map[string]string{}, ""
	for _, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		m := line.FindStringSubmatch(l)
		if m == nil {
			t.Fatalf("not a line of the format: %s", l)
		}
		switch {
		case m[1] != "":
			if family = m[1]; values[family] != "" {
				t.Errorf("%s is there twice", family)
			}
		case m[2]+m[3] != family:
			t.Errorf("under %s stands %s", family, l)
		case m[3] != "":
			name, value, _ := strings.Cut(l, " ")
			values[name] = value
		}
	}
	for name, want := range map[string]string{"vitalog_ready": "1", "vitalog_patients": "1", "vitalog_missing_items": "0", "vitalog_storage_failing": "0", `vitalog_validator_lacks{validator="0"}`: "0"} {
		if values[name] != want {
			t.Errorf("%s is %q, want %s", name, values[name], want)
		}
	}
	if k, u := is.Store, is.Usage; k.Dead == 0 || k.Fresh == 0 || u.Errors == 0 || u.Retries == u.Errors {
		t.Fatalf("nothing happened: %+v", is)
	} else {
		for name, want := range map[string]int64{"packs": int64(k.Packs), "items": k.Items, "bytes": k.Bytes, "dead_bytes": k.Dead, "fresh_bytes": k.Fresh, "fresh_items": k.FreshItems, "away_seconds": 0,
			"failures_total": int64(u.Errors), "retries_total": int64(u.Retries), `requests_total{kind="put"}`: int64(u.Puts)} {
			if got, err := strconv.ParseFloat(values["vitalog_storage_"+name], 64); err != nil || got != float64(want) {
				t.Errorf("%s is %s, want %d", name, values["vitalog_storage_"+name], want)
			}
		}
	}
	if age, err := strconv.ParseFloat(values["vitalog_storage_fresh_seconds"], 64); err != nil || age <= 0 || age > 60 {
		t.Errorf("what is fresh is so for %s s", values["vitalog_storage_fresh_seconds"])
	}
	for _, name := range []string{"vitalog_storage_packs", `vitalog_storage_requests_total{kind="put"}`, "vitalog_storage_bytes", "vitalog_storage_items", "vitalog_storage_packed_timestamp_seconds", "vitalog_ledger_height"} {
		if values[name] == "" || values[name] == "0" {
			t.Errorf("%s is %q", name, values[name])
		}
	}
	if id := regexp.MustCompile(`[0-9a-f]{12}|Hospital`).FindString(regexp.MustCompile(` [0-9.e+]+\n`).ReplaceAllString(text, "\n")); id != "" {
		t.Errorf("it names %s", id)
	}
	if _, status, _ := get("http://" + config.Metrics + "/"); status != http.StatusNotFound {
		t.Errorf("another path answers %d", status)
	}
	if _, status, _ := get(n.Config.URL() + node.ControlPrefix + "metrics"); status != http.StatusUnauthorized {
		t.Errorf("at the operators' door without a token: %d", status)
	}
	// Without its bucket the member doesn't start.
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	config.Bucket = ""
	if err := config.Save(dir); err != nil {
		t.Fatal(err)
	}
	if n, err := node.Start(ctx, dir, []byte(passphrase), options); err == nil || !strings.Contains(err.Error(), "ciphertext in a bucket") {
		t.Errorf("without the bucket: %v", err)
		if err == nil {
			n.Close()
		}
	}
}
