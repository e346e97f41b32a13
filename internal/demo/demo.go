// Package demo is a consortium on one machine: a hospital, a pharmacy, a laboratory, a hospital abroad, an insurer and a research
// institute, each a whole member with its own keys, stores and ports, and patients who don't exist.
//
// It promises that everything in it goes the way that real data would go: through the members' FHIR endpoints, over the network between
// them, with the patient's keys in the patient's own ring. It refuses to run twice in one directory.
//
//	<dir>/demo.json            who is who, and the port of the page that tells the story
//	<dir>/members/st-elena/    a member's directory (package node)
//	<dir>/patients/maria/      a patient's keyring
//	<dir>/s3/                  the members' buckets, if they are in S3
//	<dir>/patients/maria/wristband/   her wearable's file: it writes by itself while the demo runs
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"vitalog/blobstore"
	"vitalog/key"
	"vitalog/keyring"
	"vitalog/node"
	"vitalog/op"

	"golang.org/x/sync/errgroup"
)

// The members of the demo, by the names of their directories.
const (
	StElena  = "st-elena"
	Pharmacy = "corner-pharmacy"
	Lab      = "riverside-lab"
	Lac      = "hopital-du-lac"
	Insurer  = "alpina-insurance"
	Research = "heart-institute"
)

type founder struct {
	name, title string
	kind        op.MemberKind
	validator   bool
}

var founders = []founder{
	{StElena, "St. Elena Hospital", op.Provider, true},
	{Pharmacy, "Corner Pharmacy", op.Pharmacy, true},
	{Lab, "Riverside Laboratory", op.Lab, true},
	{Lac, "Hôpital du Lac", op.Provider, true},
	{Insurer, "Alpina Insurance", op.Insurer, false},
	{Research, "Heart Institute", op.Research, false},
}

// Seed and Patients say which synthetic people live in the demo.
const (
	Seed     = 2026
	Patients = 12
)

// Day is the day on which the synthetic records end: a fixed one, so that every demo tells the same story.
var Day = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

const stateFile = "demo.json"

// State is what is remembered between runs.
type State struct {
	Format   int             `json:"format"`
	Members  []MemberState   `json:"members"`
	Patients []PatientState  `json:"patients"`
	Loaded   map[string]bool `json:"loaded"`         // patients whose records are in
	Page     int             `json:"page,omitempty"` // port of the page; 0: none yet
	S3       *S3             `json:"s3,omitempty"`   // where the members' buckets are; nil: they have none
}

// MemberState is one member.
type MemberState struct {
	Name  string `json:"name"` // directory under members/
	Title string `json:"title"`
	API   string `json:"api"`
}

// PatientState is one patient.
type PatientState struct {
	Name  string `json:"name"`
	MRN   string `json:"mrn"`
	Chart string `json:"chart"`
	App   string `json:"app,omitempty"` // directory under patients/, if the patient has keys of their own
}

// Demo is a running demo.
type Demo struct {
	Dir      string
	State    *State
	Nodes    []*node.Node
	Wearable *Wearable // which writes by itself while the demo runs

	log   *slog.Logger
	stop  context.CancelFunc // of the wearable
	tasks sync.WaitGroup
	page  *Page   // nil unless it is served
	s3    *server // nil unless the members' buckets are in S3
}

// Options are how a demo is started.
type Options struct {
	Log *slog.Logger
	Say func(string) // hears how far it is
	S3  bool         // the members' buckets are in S3, as they stay in this directory; ErrNoS3 where no server is installed
}

// Start founds the consortium, or starts the one in dir, and loads what is not yet there.
func Start(ctx context.Context, dir string, o Options) (*Demo, error) {
	rings := make([]*keyring.Ring, len(founders))
	state, err := LoadState(dir)
	var program string
	if o.S3 || state != nil && state.S3 != nil {
		var none error
		if program, none = exec.LookPath(versitygw); none != nil {
			return nil, ErrNoS3
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		o.Say("founding a consortium of six members in " + dir)
		state, rings, err = found(dir)
	}
	if err != nil {
		return nil, err
	}
	d := &Demo{Dir: dir, State: state, Nodes: make([]*node.Node, len(founders)), log: o.Log}
	if program != "" {
		o.Say("starting an S3 server with a bucket for each member")
		err = d.startS3(ctx, program)
	}
	if err == nil {
		err = d.start(ctx, rings, o.Say)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// inS3 has members pack often, so that there is something to look at, and look for rot only when they are told to, so that what is found has the cause that is shown.
var inS3 = blobstore.Schedule{Fresh: time.Minute, Scrub: -1}

func (d *Demo) start(ctx context.Context, rings []*keyring.Ring, say func(string)) error {
	say("starting four validators and two observers")
	g, gctx := errgroup.WithContext(ctx)
	for i, f := range founders {
		g.Go(func() error {
			passphrase, err := Passphrase(d.MemberDir(f.name))
			if err != nil {
				return err
			}
			n, err := node.Start(gctx, d.MemberDir(f.name), passphrase, node.Options{Log: d.log, Ring: rings[i], Cloud: openBucket, Schedule: inS3})
			d.Nodes[i] = n
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, n := range d.Nodes {
		if err := n.WaitReady(ctx); err != nil {
			return err
		}
	}
	say("the network's key is made: every member holds a share, nobody the whole")
	if err := d.anchorApp(ctx); err != nil {
		return err
	}
	if err := d.load(ctx, say); err != nil {
		return err
	}
	wearable, err := d.wearable()
	if err != nil {
		return fmt.Errorf("the wearable: %w", err)
	}
	worn, stop := context.WithCancel(context.Background())
	d.stop = stop
	d.Wearable = wearable
	d.tasks.Go(func() { d.wear(worn, wearable) })
	return nil
}

// anchorApp has every member stand for the release of the patient's app that it hands out.
func (d *Demo) anchorApp(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, n := range d.Nodes {
		g.Go(func() error { return n.AnchorApp(ctx) })
	}
	return g.Wait()
}

// found makes the members' directories.
func found(dir string) (*State, []*keyring.Ring, error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, nil, fmt.Errorf("%s is not empty and holds no demo: choose another --dir", dir)
	}
	list := make([]node.Founder, len(founders))
	state := &State{Format: node.Format, Loaded: map[string]bool{}}
	for i, f := range founders {
		list[i] = node.Founder{Dir: filepath.Join(dir, "members", f.name), Name: f.title, Kind: f.kind, Validator: f.validator, HL7: f.name == StElena}
	}
	rings, err := node.Found("Vitalog demo", op.DefaultParams, list)
	if err != nil {
		return nil, nil, err
	}
	for i, f := range founders {
		c, err := node.Load(list[i].Dir)
		if err != nil {
			return nil, nil, err
		}
		if f.name == StElena { // its staff sign in
			c.SignInIssuer = node.SyntheticStaff
			if err := c.Save(list[i].Dir); err != nil {
				return nil, nil, err
			}
		}
		state.Members = append(state.Members, MemberState{Name: f.name, Title: f.title, API: c.URL()})
	}
	return state, rings, state.save(dir)
}

// LoadState reads who is who in the demo in dir.
func LoadState(dir string) (*State, error) {
	b, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return nil, err
	}
	var s State
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", stateFile, err)
	}
	if s.Format != node.Format {
		return nil, fmt.Errorf("%s: demo of format %d, this program reads %d: choose another --dir", dir, s.Format, node.Format)
	}
	return &s, nil
}

func (s *State) save(dir string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, stateFile+".new")
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, stateFile))
}

// MemberDir is the directory of the member of that name.
func (d *Demo) MemberDir(name string) string { return filepath.Join(d.Dir, "members", name) }

// Node is the running member of that name.
func (d *Demo) Node(name string) *node.Node { return d.Nodes[Number(name)] }

// Number is a member's number in the genesis.
func Number(name string) int {
	for i, f := range founders {
		if f.name == name {
			return i
		}
	}
	return -1
}

func everybody() (names []string) {
	for _, f := range founders {
		names = append(names, f.name)
	}
	return names
}

// Passphrase reads the passphrase that was drawn for a demo keyring.
func Passphrase(dir string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(dir, "passphrase"))
	if err != nil {
		return nil, err
	}
	return b[:max(len(b)-1, 0)], nil // without the newline
}

// Close stops the page, the wearable, the members, and the S3 server if there is one. Their data stays.
func (d *Demo) Close() error {
	var g errgroup.Group
	if d.page != nil {
		g.Go(d.page.close)
	}
	if d.stop != nil {
		d.stop()
	}
	d.tasks.Wait()
	for _, n := range d.Nodes {
		if n != nil {
			g.Go(n.Close)
		}
	}
	err := g.Wait()
	if d.s3 != nil {
		err = errors.Join(err, d.s3.stop())
	}
	return err
}

// Network is the id of the demo's network.
func (d *Demo) Network() key.Network { return d.Nodes[0].Genesis.Network() }
