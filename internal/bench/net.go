package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/key"
	"vitalog/node"
	"vitalog/op"
	"vitalog/section"
)

const (
	members  = 4
	patients = 16
)

// written are the sections where every patient has records, so that operations have many logs to go to.
var written = []section.Section{section.Vitals, section.Labs, section.Medications, section.Encounters}

// network is four validators with synthetic patients in the custody of the first.
type network struct {
	span   time.Duration // of each measurement
	dir    string
	dirs   []string
	id     key.Network
	nodes  []*node.Node
	door   *door    // of the first
	desk   *visitor // of the physician
	charts []string
	fresh  []spot    // records that were never opened
	logs   []key.Log // of all patients and sections
}

// spot is where a record is.
type spot struct {
	chart   string
	section section.Section
	entry   uint64
}

var physician = exchange.Asker{Practitioner: "bench", Name: "Bench", Role: "physician", Purpose: exchange.Treat}

// start founds the network. What is asked over HTTP goes through what lies before the first member's door, if anything does.
func start(ctx context.Context, span time.Duration, through func(http.RoundTripper) http.RoundTripper) (b *network, err error) {
	b = &network{span: span, nodes: make([]*node.Node, members), dirs: make([]string, members)}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.dir, err = os.MkdirTemp("", "vitalog-bench-"); err != nil {
		return nil, err
	}
	founders := make([]node.Founder, members)
	for i := range founders {
		b.dirs[i] = filepath.Join(b.dir, fmt.Sprint(i))
		founders[i] = node.Founder{Dir: b.dirs[i], Name: fmt.Sprint("Member ", i), Kind: op.Provider, Validator: true}
	}
	params := op.DefaultParams
	params.LogOperations, params.LogBytes = 1<<30, 1<<40 // what is measured is not the quota
	rings, err := node.Found("bench", params, founders)
	if err != nil {
		return nil, err
	}
	g, err := node.LoadGenesis(b.dirs[0])
	if err != nil {
		return nil, err
	}
	b.id = g.Network()
	var starting errgroup.Group
	for i := range b.nodes {
		starting.Go(func() (err error) {
			b.nodes[i], err = node.Start(ctx, b.dirs[i], nil, node.Options{Log: slog.New(slog.DiscardHandler), Ring: rings[i]})
			return err
		})
	}
	if err := starting.Wait(); err != nil {
		return nil, err
	}
	for _, n := range b.nodes {
		if err := n.WaitReady(ctx); err != nil {
			return nil, err
		}
	}
	b.door = newDoor(b.nodes[0], through)
	b.desk = b.door.visitor(physician)
	return b, nil
}

// eachFresh is how many records every section of every patient is filled with.
const eachFresh = 40

// fill enrols the patients and writes records, each with one resource.
func (b *network) fill(ctx context.Context) error {
	for range patients {
		id, err := b.nodes[0].Member.Enrol(ctx)
		if err != nil {
			return err
		}
		b.charts = append(b.charts, id)
	}
	out := make([][]spot, patients)
	logs := make([][]key.Log, patients)
	var g errgroup.Group
	g.SetLimit(4)
	for i, id := range b.charts {
		g.Go(func() error {
			var drafts []exchange.Draft
			for range eachFresh {
				for _, s := range written {
					drafts = append(drafts, observation(id, s, ""))
				}
			}
			done, err := b.nodes[0].Member.Publish(ctx, physician, id, drafts)
			for j, d := range done {
				if j < len(written) {
					logs[i] = append(logs[i], d.Log)
				}
				out[i] = append(out[i], spot{id, drafts[j].Section, d.Entry})
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for j := range out[0] { // one after the other of different patients
		for i := range out {
			b.fresh = append(b.fresh, out[i][j])
		}
	}
	for i := range logs {
		b.logs = append(b.logs, logs[i]...)
	}
	return nil
}

const (
	settleFor = 30 * time.Second // at most
	lookAgain = 100 * time.Millisecond
)

// settle waits until every member has what the ledger names, so that one measurement doesn't pay for the one before.
func (b *network) settle(ctx context.Context) error {
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for began := time.Now(); time.Since(began) < settleFor; {
		left := 0
		for _, n := range b.nodes {
			if err := n.Member.Followed(ctx, b.nodes[0].Chain.Ledger().Height()); err != nil {
				return err
			}
			missing, err := n.Member.Missing()
			if err != nil {
				return err
			}
			left += missing
		}
		if left == 0 {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// flushed waits until the ledger has the rows of all that the first member answered, and settles. Further uses come from its outbox.
func (b *network) flushed(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	if err := b.nodes[0].Member.Flushed(waiting); err != nil && ctx.Err() != nil {
		return err // else what is missing is counted
	}
	return b.settle(ctx)
}

// measured are the LOINC codes of vital signs that people have here, each as often as the others.
var measured = []string{"8867-4", "8310-5", "9279-1", "59408-5", "29463-7", "8302-2", "39156-5", "8480-6", "8462-4", "72514-3"}

// observation makes one measurement of somebody who doesn't exist, on some day of ten years. It goes into a record of its own, unless a group is
// named.
func observation(chart string, s section.Section, group string) exchange.Draft {
	id := newID()
	if group == "" {
		group = "Observation/" + id
	}
	day := time.Date(2017, 1, 1+rand.IntN(3650), 8, 0, 0, 0, time.UTC)
	r, err := fhir.Parse(fmt.Appendf(nil, `{"resourceType":"Observation","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":%q}]},"subject":{"reference":"Patient/%s"},"effectiveDateTime":"%s","valueQuantity":{"value":%d,"unit":"/min","system":"http://unitsofmeasure.org","code":"/min"}}`,
		measured[rand.IntN(len(measured))], chart, day.Format(time.RFC3339), 50+rand.IntN(50)))
	if err != nil {
		panic(err) // the text above is a resource
	}
	return exchange.Draft{Resource: r, ID: id, Section: s, Group: group}
}

func newID() string {
	return fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
}

const closeFor = 5 * time.Second

// close takes the network away. It doesn't wait for members that still look for ciphertext which the last measurement never made.
func (b *network) close() error {
	if b.door != nil {
		b.door.lines.CloseIdleConnections()
	}
	closed := make(chan error, len(b.nodes))
	for _, n := range b.nodes {
		go func() {
			if n != nil {
				closed <- n.Close()
			} else {
				closed <- nil
			}
		}()
	}
	late := time.After(closeFor)
	var errs []error
	for range b.nodes {
		select {
		case err := <-closed:
			errs = append(errs, err)
		case <-late:
			return errors.Join(append(errs, os.RemoveAll(b.dir))...)
		}
	}
	return errors.Join(append(errs, os.RemoveAll(b.dir))...)
}
