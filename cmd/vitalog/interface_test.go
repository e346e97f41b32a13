package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"vitalog/node"
)

// An interface engine sends what it has no answer for again. The member's process is killed while it works on messages, at another moment
// each time: what was acknowledged is there, and nothing is there twice.
func TestAMemberThatIsKilledInTheMiddleOfMessagesHasEachOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes")
	}
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	n := foundNetwork(t, 1, func(c *node.Config) {
		c.HL7, c.HL7Systems = address, map[string]string{"GHH": "urn:oid:2.999.1"}
	})

	const patients, kills = 12, 4
	// send sends a message and returns its acknowledgement, or nothing if the connection ended before it came.
	var line net.Conn
	hangUp := func() {
		if line != nil {
			line.Close()
			line = nil
		}
	}
	send := func(message string) string {
		if line == nil {
			if line, err = net.Dial("tcp", address); err != nil {
				t.Fatal(err)
			}
		}
		_, err := line.Write([]byte("\x0b" + message + "\x1c\r"))
		answer := ""
		if err == nil {
			answer, err = bufio.NewReader(line).ReadString(0x1c)
		}
		if err != nil {
			hangUp()
			return ""
		}
		return answer
	}
	killed := 0
	for i := range patients {
		messages := []string{
			"ADT^A01^ADT_A01|%[1]d|P|2.5.1\rPID|1||%[1]d^^^GHH^MR||Rossi^Maria||19800101|F\rPV1|1|I|W3^12^1||||||||||||||||V%[1]d^^^GHH^VN\r",
			"ORU^R01^ORU_R01|9%[1]d|P|2.5.1\rPID|1||%[1]d^^^GHH^MR||Rossi^Maria||19800101|F\rPV1|1|I|W3^12^1||||||||||||||||V%[1]d^^^GHH^VN\r" +
				"OBR|1|O%[1]d^GHH|F%[1]d^GHH|718-7^Hemoglobin^LN|||20260302083000+0100\rOBX|1|NM|718-7^Hemoglobin^LN||13.2|g/dL|||||F\r",
		}
		for _, m := range messages {
			m = `MSH|^~\&|ADT1|GHH|||20260302083000+0100||` + fmt.Sprintf(m, 100+i)
			if i%3 == 1 && killed < kills { // while it works on this one: the process dies with the message half done, or with its answer unsent
				dead := make(chan bool)
				time.AfterFunc(time.Duration(10+25*killed)*time.Millisecond, func() {
					n.kill(0)
					close(dead)
				})
				answer := send(m)
				<-dead
				hangUp()
				killed++
				n.start(0)
				n.await(0)
				t.Logf("killed with an answer of %d bytes", len(answer))
			}
			if answer := send(m); !strings.Contains(answer, "\rMSA|AA|") {
				t.Fatalf("patient %d: got %q", i, answer)
			}
		}
	}
	hangUp()
	if killed != kills {
		t.Fatalf("killed %d times, want %d", killed, kills)
	}
	for i := range patients {
		for kind, want := range map[string]int{"Patient": 1, "Encounter": 1, "Observation": 1, "DiagnosticReport": 1} {
			search := fmt.Sprintf("/%s?patient.identifier=urn:oid:2.999.1|%d", kind, 100+i)
			if kind == "Patient" {
				search = fmt.Sprintf("/Patient?identifier=urn:oid:2.999.1|%d", 100+i)
			}
			var found struct{ Total int }
			if err := json.Unmarshal(n.ask(0, "GET", search, nil), &found); err != nil {
				t.Fatal(err)
			}
			if found.Total != want {
				t.Errorf("patient %d has %d of %s, want %d", i, found.Total, kind, want)
			}
		}
	}
}
