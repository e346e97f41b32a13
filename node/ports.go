package node

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
)

// PortsVariable names the environment variable that says from which ports, FIRST-LAST, the addresses of members that are founded here are taken.
const PortsVariable = "VITALOG_PORTS"

// Ports are looked for below those that systems give to outgoing connections.
const (
	firstPort = 18_400
	lastPort  = 32_399
	blockSize = 1000
)

// ports of this process. A port is free only until somebody else takes it, which may be before the member that was given it starts, or while it is
// stopped. So processes that found networks at the same time look in blocks of their own: who listens on a block's first port has the block.
var ports struct {
	sync.Mutex
	block     net.Listener
	from, end int // end is the first that isn't ours; 0: not known yet
	next      int
}

// FreePort is a port of this machine that nobody listens on, and that this process gave to nobody for as long as possible.
func FreePort() (int, error) {
	ports.Lock()
	defer ports.Unlock()
	if ports.end == 0 {
		if err := choosePorts(); err != nil {
			return 0, err
		}
	}
	for range ports.end - ports.from {
		port := ports.next
		if ports.next++; ports.next == ports.end {
			ports.next = ports.from
		}
		if l, err := listenLocal(port); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("no free port from %d to %d", ports.from, ports.end-1)
}

func choosePorts() error {
	if text := os.Getenv(PortsVariable); text != "" {
		from, to, _ := strings.Cut(text, "-")
		first, err := strconv.ParseUint(from, 10, 16)
		last, err2 := strconv.ParseUint(to, 10, 16)
		if err != nil || err2 != nil || first == 0 || first > last {
			return fmt.Errorf("%s=%s: want two ports, as 20000-20099", PortsVariable, text)
		}
		ports.from, ports.end = int(first), int(last)+1
		ports.next = ports.from
		return nil
	}
	for _, i := range rand.Perm((lastPort + 1 - firstPort) / blockSize) {
		first := firstPort + i*blockSize
		l, err := listenLocal(first)
		if err != nil {
			continue
		}
		ports.block, ports.from, ports.end = l, first+1, first+blockSize
		ports.next = ports.from + rand.IntN(blockSize-1)
		return nil
	}
	return errors.New("all blocks of ports from " + strconv.Itoa(firstPort) + " on are taken by other processes: set " + PortsVariable + " to free ones")
}

func listenLocal(port int) (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort("localhost", strconv.Itoa(port)))
}
