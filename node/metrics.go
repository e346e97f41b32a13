package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"
)

// metricsFor is how long one look at the member answers those who ask for metrics.
const metricsFor = 5 * time.Second

// metrics answers in the text format of Prometheus: spec/metrics.md.
func (n *Node) metrics(w http.ResponseWriter, r *http.Request) {
	m := &n.measured
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); now.Sub(m.at) >= metricsFor {
		text, err := n.measure(r.Context(), now)
		if err != nil {
			n.log.Warn("metrics", "err", err)
			http.Error(w, "the member can't tell: see its log", http.StatusInternalServerError)
			return
		}
		m.text, m.at = text, now
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(m.text) // the client is gone otherwise
}

// serveMetrics opens the door for Prometheus, if there is to be one.
func (n *Node) serveMetrics(dir string) error {
	if n.Config.Metrics == "" {
		return nil
	}
	l, err := net.Listen("tcp", n.Config.Metrics)
	if err != nil {
		return fmt.Errorf("listening for metrics: %w", err)
	}
	if !Local(n.Config.Metrics) {
		cert, err := tls.LoadX509KeyPair(inDir(dir, n.Config.TLSCertificate), inDir(dir, n.Config.TLSKey))
		if err != nil {
			return errors.Join(fmt.Errorf("certificate for %s: %w", n.Config.Metrics, err), l.Close())
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", n.metrics)
	n.watched = &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelDebug)}
	n.tasks.Go(func() {
		if err := n.watched.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("serving metrics", "err", err)
		}
	})
	return nil
}

// measure is all metrics as of now.
func (n *Node) measure(ctx context.Context, now time.Time) ([]byte, error) {
	status, err := n.Status()
	if err != nil {
		return nil, err
	}
	storage, err := n.Storage(ctx, false)
	if err != nil {
		return nil, err
	}
	x := &exposition{now: now}
	x.ofMember(status)
	x.ofCopies(storage)
	if storage.Bucket != "" {
		x.ofBucket(storage)
	}
	return x.Bytes(), nil
}

// exposition is text of the format 0.0.4 of https://prometheus.io/docs/instrumenting/exposition_formats.
type exposition struct {
	bytes.Buffer
	now time.Time
}

func (x *exposition) ofMember(s *Status) {
	x.gauge("ready", "1 if the member can do its work", truth(s.Ready))
	x.gauge("ledger_height", "Blocks on the ledger of this member", float64(s.Chain.Height))
	x.gauge("validators", "Validators of the network", float64(s.Chain.Validators))
	x.gauge("validators_reachable", "Validators that this member reaches, itself included; more than two thirds are needed", float64(s.Chain.Reachable))
	x.gauge("halted_seconds", "Time for which operations have waited and no block came", s.Chain.HaltedFor.Seconds())
	x.gauge("clock_off_seconds", "How far the clock of this machine is ahead of the network's, if it is refused for that", s.Chain.ClockOff.Seconds())
	x.gauge("disk_free_bytes", "Free on the disk of data/; 0 where the system doesn't tell", float64(s.Free))
	x.gauge("disk_reserve_bytes", "Free bytes below which no writes are taken", float64(s.Reserve))
	x.gauge("logs", "Logs on the ledger", float64(s.Logs))
	x.gauge("patients", "Patients known to this member", float64(s.Patients))
	x.gauge("missing_items", "Ciphertexts and headers still to be fetched from other members", float64(s.Missing))
	x.counter("incidents_total", "Things that were found damaged or lost in the member's own stores", one(float64(s.Incidents.Ever)))
	x.gauge("incidents_unhealed", "Of these, that are not healed", float64(s.Incidents.Unhealed))
}

func (x *exposition) ofCopies(s *Storage) {
	if a := s.Availability; a != nil {
		x.gauge("records_unavailable", "Records that too few other validators are known to hold", float64(a.Pending))
		x.gauge("record_unavailable_seconds", "Age of the oldest of these; 0: none", x.age(a.Since))
		x.gauge("own_record_unavailable_seconds", "Age of the oldest of these that this member wrote; 0: none", x.age(a.OwnSince))
		x.gauge("ciphertexts_scarce", "Older ciphertexts that so many validators lack that too few hold them", float64(a.Scarce))
	}
	x.gauge("asked_height", "The newest block that asked validators to hold something", float64(s.Asked))
	var upto, lacks []sample
	for _, h := range s.Holdings {
		label := fmt.Sprintf(`{validator="%d"}`, h.Member)
		upto, lacks = append(upto, sample{label, float64(h.Upto)}), append(lacks, sample{label, float64(h.Lacks)})
	}
	x.family("validator_stored_height", "gauge", "The block up to which a validator, by its number, says that it holds everything but what it lacks", upto)
	x.family("validator_lacks", "gauge", "Ciphertexts that a validator says that it lacks", lacks)
}

func (x *exposition) ofBucket(s *Storage) {
	k, u := s.Store, s.Usage
	x.gauge("storage_packs", "Objects of this member in its bucket", float64(k.Packs))
	x.gauge("storage_items", "Ciphertexts and headers in the bucket", float64(k.Items))
	x.gauge("storage_bytes", "Bytes in the bucket", float64(k.Bytes))
	x.gauge("storage_dead_bytes", "Of these, that are not needed any more", float64(k.Dead))
	x.gauge("storage_packs_to_expunge", "Packs that still hold something that was deleted", float64(k.Tainted))
	x.gauge("storage_fresh_bytes", "Bytes that are not in the bucket yet", float64(k.Fresh))
	x.gauge("storage_fresh_items", "Ciphertexts and headers that are not in the bucket yet", float64(k.FreshItems))
	x.gauge("storage_fresh_seconds", "Age of the oldest of these, at most; 0: none", x.age(k.FreshSince))
	x.gauge("storage_waiting_bytes", "Bytes on the disk of what is in the bucket and too few others are known to hold yet", float64(k.Waiting))
	x.gauge("storage_waiting_packs", "Packs of these; what is a file waits beside them", float64(k.Waits))
	x.gauge("storage_waiting_seconds", "Age of the oldest of these; 0: none", x.age(k.WaitSince))
	x.counter("storage_requests_total", "Requests to the bucket since the start", []sample{
		{`{kind="put"}`, float64(u.Puts)}, {`{kind="get"}`, float64(u.Gets)}, {`{kind="delete"}`, float64(u.Deletes)}, {`{kind="list"}`, float64(u.Lists)}, {`{kind="inspect"}`, float64(u.Inspections)}})
	x.counter("storage_retries_total", "Requests that were made again", one(float64(u.Retries)))
	x.counter("storage_failures_total", "Calls that failed after all tries", one(float64(u.Errors)))
	x.counter("storage_traffic_bytes_total", "Bytes of objects that went to the bucket and came from it", []sample{{`{direction="up"}`, float64(u.Up)}, {`{direction="down"}`, float64(u.Down)}})
	x.gauge("storage_failing", "1 if the last work on the bucket failed", truth(k.Why != ""))
	x.gauge("storage_away_seconds", "Time for which the bucket hasn't answered", x.age(k.Away))
	x.gauge("storage_packed_timestamp_seconds", "What was put before this is in the bucket; 0: not yet", at(k.Packed))
	x.gauge("storage_listed_timestamp_seconds", "When the bucket was last compared with what is noted; 0: not yet", at(k.Listed))
	x.gauge("storage_scrubbed_timestamp_seconds", "When all packs had last been read and compared; 0: not yet", at(k.Scrubbed))
	x.gauge("storage_scrub_bytes", "Bytes of packs that this round of reading has done", float64(k.Scrubbing))
	x.gauge("storage_scrub_round_seconds", "Time that a whole round takes at the budget", k.Round)
	x.gauge("storage_lost_packs", "Packs that the last listing didn't find", float64(k.Found.Lost))
	x.gauge("storage_foreign_objects", "Objects in the bucket that are not this member's", float64(k.Found.Foreign))
}

// sample is a value with its labels, {name="value",…} or nothing.
type sample struct {
	labels string
	value  float64
}

func one(value float64) []sample { return []sample{{"", value}} }

func (x *exposition) gauge(name, help string, value float64) {
	x.family(name, "gauge", help, one(value))
}

func (x *exposition) counter(name, help string, all []sample) { x.family(name, "counter", help, all) }

// family writes the samples of one name. Help has no backslash and no line feed.
func (x *exposition) family(name, kind, help string, all []sample) {
	fmt.Fprintf(x, "# HELP vitalog_%[1]s %[3]s\n# TYPE vitalog_%[1]s %[2]s\n", name, kind, help)
	for _, s := range all {
		fmt.Fprintf(x, "vitalog_%s%s %s\n", name, s.labels, strconv.FormatFloat(s.value, 'g', -1, 64))
	}
}

// age is how long ago something was, in seconds; 0 if it never was.
func (x *exposition) age(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return max(x.now.Sub(t).Seconds(), 0)
}

// at is a moment in seconds since 1970; 0 if it never was.
func at(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
