package testnet_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/internal/testnet"
	"vitalog/node"
	"vitalog/panel"
	"vitalog/section"
)

// victim names, in a process of its own, the directory of the member that is to be killed.
const victim = "VITALOG_VICTIM"

// TestMain is the program of that process: it writes records and prints each that was acknowledged.
func TestMain(m *testing.M) {
	dir := os.Getenv(victim)
	if dir == "" {
		os.Exit(m.Run())
	}
	ctx := context.Background()
	err := node.Keep(ctx, dir, testnet.Passphrase(), node.Options{Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}, func(n *node.Node) error {
		if err := n.WaitReady(ctx); err != nil {
			return err
		}
		charts, err := n.Member.Charts()
		for i := 0; err == nil; i++ {
			id := fmt.Sprintf("k%d-%d", os.Getpid(), i)
			if err = publish(ctx, n, charts[0], id); err == nil {
				fmt.Println(id)
			}
		}
		return err
	})
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// The member is killed at one moment after another: while it opens, catches up, begins to vote, and writes.
func TestAMemberThatIsKilledAgainAndAgainStartsByItselfAndKeepsWhatItAcknowledged(t *testing.T) {
	n := testnet.Start(t, 1, 0)
	ctx := limit(t)
	chart := enrol(t, ctx, n.Nodes[0])
	n.Stop(t, 0)
	config, err := node.Load(n.MemberDir(0))
	if err != nil {
		t.Fatal(err)
	}
	config.SearchAcross = panel.All
	if err := config.Save(n.MemberDir(0)); err != nil {
		t.Fatal(err)
	}
	var kept []string
	for round := range 8 {
		c := exec.CommandContext(ctx, os.Args[0])
		c.Env = append(os.Environ(), victim+"="+n.MemberDir(0))
		said := &strings.Builder{}
		c.Stderr = said
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		var kill *time.Timer
		if round%2 == 0 { // somewhere on its way up; else while it writes
			kill = time.AfterFunc(time.Duration(300+round*100)*time.Millisecond, func() { c.Process.Kill() })
		}
		lines := bufio.NewScanner(out)
		for wrote := 0; lines.Scan(); wrote++ {
			kept = append(kept, lines.Text())
			if wrote == round {
				c.Process.Kill()
			}
		}
		err = c.Wait()
		if kill != nil {
			kill.Stop()
		}
		if c.ProcessState.Exited() {
			t.Fatalf("round %d: it ended by itself: %v\n%s", round, err, said)
		}
	}
	n.Restart(t, 0, node.Options{})
	n.WaitReady(t)
	m := n.Nodes[0].Member
	indexed := func() (there map[string]bool) {
		found, err := m.Across(ctx, physician.Purpose, panel.Query{Type: "Observation"})
		if err != nil {
			t.Fatal(err)
		}
		there = map[string]bool{}
		for _, f := range found {
			there[f.ID] = true
		}
		return there
	}
	there := indexed()
	lacks, err := m.AcrossLacks(physician.Purpose, section.Where("Observation"))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range kept {
		if !there[id] && !lacks {
			t.Errorf("%s was acknowledged, and the index lacks it and doesn't say so", id)
		}
	}
	if _, err := m.Reindex(ctx, physician, false, func(exchange.Reindexed) error { return nil }); err != nil {
		t.Fatal(err)
	}
	there = indexed()
	opened, err := m.Open(ctx, physician, chart, vitals)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range kept {
		if opened.Chart.Get("Observation", id) == nil {
			t.Errorf("%s was acknowledged and is not there", id)
		}
		if !there[id] {
			t.Errorf("%s is not in the index that was rebuilt", id)
		}
	}
	t.Logf("%d records were acknowledged", len(kept))
	whole(t, ctx, n.Nodes[0], n.Nodes[0])
}
