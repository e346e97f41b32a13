package keyring_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"vitalog/keyring"
	"vitalog/threshold"
)

const victimEnv = "VITALOG_TEST_KEYRING_VICTIM"

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv(victimEnv); path != "" {
		victim(path)
	}
	os.Exit(m.Run())
}

// victim keeps one share after the other and says so after each, until it is killed.
func victim(path string) {
	r, err := keyring.Open(path, pass())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	p := threshold.PolynomialFrom([32]byte{1}, 1) // the same in each life
	for gen := uint32(1); ; gen++ {
		if err := r.KeepShare(gen, 1, 1, p.Share(1)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(gen)
	}
}

func TestAKilledProcessLeavesEveryShareThatItKept(t *testing.T) {
	path, _ := quick(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	kept := uint32(0)
	for _, kill := range []int{1, 2, 7, 20, 45} {
		c := exec.Command(exe)
		c.Env = append(os.Environ(), victimEnv+"="+path)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			gen, err := strconv.ParseUint(lines.Text(), 10, 32)
			if err != nil {
				t.Fatal(lines.Text())
			}
			kept = max(kept, uint32(gen))
			if n == kill {
				c.Process.Kill() // in the middle of the next write; what it still said is read on
			}
		}
		c.Wait()
		r := reopen(t, path)
		for gen := uint32(1); gen <= kept; gen++ {
			if !r.HasShare(gen) {
				t.Fatalf("killed after share %d: share %d is gone", kept, gen)
			}
		}
	}
}

func TestAHalfWrittenNewRingBesideTheOldOneIsIgnored(t *testing.T) {
	path, r := quick(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// As a crash before the rename leaves it.
	if err := os.WriteFile(path+".new", whole[:len(whole)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	want := r.Member().Public()
	if got := reopen(t, path).Member().Public(); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if err := r.KeepShare(1, 1, 1, threshold.NewPolynomial(1).Share(1)); err != nil || !reopen(t, path).HasShare(1) {
		t.Errorf("keeping a share: %v", err)
	}
}
