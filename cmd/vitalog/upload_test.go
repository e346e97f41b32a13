package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The member's process is killed while a file comes in, twice; the program that sends it waits, and goes on. The file comes back whole, in ranges and at once.
func TestAFileArrivesAlthoughItsMemberIsKilled(t *testing.T) {
	n := foundNetwork(t, 1, nil)
	var made struct{ ID string }
	if err := json.Unmarshal(n.ask(0, "POST", "/Patient", []byte(`{"resourceType":"Patient","name":[{"family":"Upload"}]}`), "Prefer", "return=representation"), &made); err != nil || made.ID == "" {
		t.Fatal(made, err)
	}
	const size = 120_000_000
	scan := make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(scan)
	file := filepath.Join(n.dir, "scan.dcm")
	if err := os.WriteFile(file, scan, 0o600); err != nil {
		t.Fatal(err)
	}
	sending := n.watch("record", "put", "--attach", file, "--patient", made.ID, "--dir", n.member(0), "--practitioner", "ordeal", "--role", "physician", "--purpose", "TREAT", "--json")
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for _, come := range []int64{10 << 20, 60 << 20} {
		for ; ; <-again.C { // until so much of it is in the ciphertext
			all, _ := filepath.Glob(filepath.Join(n.member(0), "data", "blobs", "uploads", "*.blob"))
			if len(all) == 1 {
				if st, err := os.Stat(all[0]); err == nil && st.Size() >= come {
					break
				}
			}
			select {
			case err := <-sending.ended:
				t.Fatalf("it was through before it could be cut off: %v\n%s", err, sending.errors.String())
			default:
			}
		}
		n.kill(0)
		n.start(0)
	}
	if err := <-sending.ended; err != nil {
		t.Fatalf("sending ended with %v\n%s", err, sending.errors.String())
	}
	at, _ := sending.lines[0]["resource"].(string)
	if got := n.ask(0, "GET", "/"+at, nil); !bytes.Equal(got, scan) {
		t.Errorf("%s: got %d other bytes", at, len(got))
	}
	const border = 8 << 20 // of pieces
	if got := n.ask(0, "GET", "/"+at, nil, "Range", "bytes=8388600-8388619"); !bytes.Equal(got, scan[border-8:border+12]) {
		t.Error("a range over a border has other bytes")
	}
	if left, err := filepath.Glob(filepath.Join(n.member(0), "data", "blobs", "uploads", "*")); err != nil || len(left) > 0 {
		t.Errorf("it leaves %q, %v", left, err)
	}
}
