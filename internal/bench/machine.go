package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// Machine is where and with what a run was made.
type Machine struct {
	Processor  string            `json:"processor"`
	Processors int               `json:"processors"`
	Memory     string            `json:"memory"`
	Platform   string            `json:"platform"`
	Go         string            `json:"go"`
	GOGC       string            `json:"gogc"`
	Revision   string            `json:"revision,omitempty"`
	Modules    map[string]string `json:"modules"` // versions of those that decide the figures
	LoadBefore string            `json:"loadBefore"`
	LoadAfter  string            `json:"loadAfter"`
}

// decisive are the modules that decide the figures.
var decisive = []string{
	"github.com/cometbft/cometbft", "github.com/cockroachdb/pebble/v2", "github.com/cloudflare/circl",
	"github.com/consensys/gnark-crypto", "github.com/oasisprotocol/curve25519-voi", "github.com/go-json-experiment/json",
}

func thisMachine() Machine {
	m := Machine{Processors: runtime.NumCPU(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), GOGC: os.Getenv("GOGC"),
		Processor: procValue("/proc/cpuinfo", "model name"), Memory: procValue("/proc/meminfo", "MemTotal"), Modules: map[string]string{}, LoadBefore: load()}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, d := range b.Deps {
			if slices.Contains(decisive, d.Path) {
				m.Modules[d.Path] = d.Version
			}
		}
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				m.Revision = s.Value
			}
		}
	}
	return m
}

// load is the machine's load over 1, 5 and 15 minutes, "" where the system doesn't tell.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if f := strings.Fields(string(b)); err == nil && len(f) >= 3 {
		return strings.Join(f[:3], " ")
	}
	return ""
}

// procValue is the first value of a name in a file of the form "name : value".
func procValue(path, name string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		if k, v, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// residentPeak is the most memory that this process has had at any time, in MiB; 0 where the system doesn't tell.
func residentPeak() float64 {
	var kib float64
	fmt.Sscanf(procValue("/proc/self/status", "VmHWM"), "%f kB", &kib)
	return kib / 1024
}
