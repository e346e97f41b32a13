package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vitalog/home"
	"vitalog/key"
	"vitalog/node"
	"vitalog/op"
	"vitalog/web"
)

// portalPort is the default: a browser keeps keys for a port, and so it is the same each time.
const portalPort = 18380

func (p *program) portalCommand() *cobra.Command {
	var member, genesis, network string
	var port int
	c := &cobra.Command{
		Use:   "portal",
		Short: "The patient's app from this program, by way of a member",
		Long: `Hands out the patient's app that is part of this program at http://localhost:PORT, and relays its calls to the member at --home: for those who
trust no server with the program that holds their keys. The member sees what it sees of every app, and none of what the browser says beside.

The network must be named, by --genesis or --network: at a member of another one it does not start. The keys stay in the browser, under
the name localhost and the port: use the same port again. It runs until Ctrl-C or SIGTERM.`,
		Example: "  vitalog portal --home https://elena.example --genesis genesis.json\n  vitalog portal --home https://elena.example --network net:92a5…",
		Args:    cobra.NoArgs,
	}
	f := c.Flags()
	f.StringVar(&member, "home", "", "address of a member: https, or http on this machine")
	f.StringVar(&genesis, "genesis", "", "a genesis file that you trust")
	f.StringVar(&network, "network", "", "the network's id, as another member or a card shows it")
	f.IntVar(&port, "port", portalPort, "port on this machine; 0: any that is free")
	c.RunE = p.long(func(ctx context.Context, _ []string) error {
		base, err := memberURL("--home", member)
		if err != nil {
			return err
		}
		want, err := wantedNetwork(genesis, network, p)
		if err != nil {
			return err
		}
		return p.portal(ctx, base, want, port)
	})
	c.AddCommand(p.portalAnchorCommand())
	return c
}

func (p *program) portalAnchorCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "anchor", Short: "Put the release of the patient's app that the member hands out on the ledger",
		Long: `Has the running member sign the release of the patient's app that is part of its program, and puts that on the ledger: the member stands for it
from then on. Whoever knows the network can then hold what any member hands out against what the members stand for: vitalog verify --portal.
Do it after each update of the program. A release that is the member's newest on the ledger already is not put there again.`,
		Example: "  vitalog portal anchor\n  vitalog portal anchor --json", Args: cobra.NoArgs,
	}
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.soon(func(ctx context.Context, _ []string) error {
		m, err := p.member()
		if err != nil {
			return err
		}
		var done node.Anchored
		if err := m.control(ctx, http.MethodPost, "anchor", nil, &done); err != nil {
			return err
		}
		if p.json {
			return p.line(done)
		}
		p.print("%s stands for release %s of the patient's app, on the ledger", m.config.Name, done.Release)
		return nil
	})
	return c
}

// memberURL reads a member's address: nobody on the way may change what comes from there.
func memberURL(flag, text string) (*url.URL, error) {
	if text == "" {
		return nil, misused("%s is missing: the address of a member", flag)
	}
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, misused("%s: want an address such as https://elena.example", flag)
	}
	if own := u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback(); u.Scheme != "https" && (u.Scheme != "http" || !own) {
		return nil, misused("%s %s: want https, or http on this machine: on the way from there anybody could change what comes", flag, u)
	}
	return u, nil
}

// wantedNetwork is the network that the user means.
func wantedNetwork(genesis, network string, p *program) (want key.Network, err error) {
	if (genesis == "") == (network == "") {
		return want, misused("say which network you mean, by --genesis FILE or --network ID: the member could show you any")
	}
	if genesis != "" {
		g, err := p.genesis(genesis)
		if err != nil {
			return want, err
		}
		return g.Network(), nil
	}
	if err := want.UnmarshalText([]byte(network)); err != nil {
		return want, misused("--network: %v", err)
	}
	return want, nil
}

// memberOf asks the member at base for the genesis, and which of its members it is. Its network must be the one that the user means.
func memberOf(ctx context.Context, base string, want key.Network) (*op.Genesis, int, error) {
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
	defer cancel()
	g, member, err := home.Discover(ctx, base, http.DefaultClient)
	if err != nil {
		return nil, 0, advise(err, "see that the member is up and its address is right")
	}
	if g.Network() != want {
		return nil, 0, advise(fmt.Errorf("%s is a member of %v, you mean %v: %w", base, g.Network(), want, errAltered), "ask another member which network is theirs: vitalog member list --genesis FILE")
	}
	return g, member, nil
}

// portal runs until ctx ends.
func (p *program) portal(ctx context.Context, base *url.URL, want key.Network, port int) error {
	app, err := web.New()
	if err != nil {
		return err
	}
	g, member, err := memberOf(ctx, base.String(), want)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", net.JoinHostPort("localhost", strconv.Itoa(port)))
	if err != nil {
		return advise(fmt.Errorf("the portal: %w", err), "see what listens there, perhaps a portal already; or give another --port, where the browser keeps other keys")
	}
	relay := home.NewRelay(base, g, member, http.DefaultTransport)
	at := fmt.Sprintf("localhost:%d", l.Addr().(*net.TCPAddr).Port)
	server := &http.Server{Handler: portalHandler(at, app, relay), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: log.New(io.Discard, "", 0)}
	server.RegisterOnShutdown(relay.Close)
	p.print("http://%s", at)
	p.say("the app of release %.12s, on %s (%v), by way of %s. Ctrl-C stops it; keys and cache stay in the browser", app.Release(), g.Name, want, g.Members[member].Name)
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.Background(), portalDrain)
		defer cancel()
		stopped <- server.Shutdown(ctx)
	})
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return err
	}
	return <-stopped
}

// portalDrain is how long calls under way may take when the portal stops.
const portalDrain = 10 * time.Second

// portalHandler serves app and relay under one name: keys belong to it, and a name that somebody else points here is not served.
func portalHandler(at string, app *web.App, relay http.Handler) http.Handler {
	mux := http.NewServeMux()
	for _, pattern := range app.Patterns() {
		mux.Handle(pattern, app)
	}
	mux.Handle(home.Prefix, relay)
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, err := net.SplitHostPort(r.Host)
		switch {
		case r.Host == at:
			guarded.ServeHTTP(w, r)
		case err == nil && net.ParseIP(name).IsLoopback() && r.Method == http.MethodGet:
			http.Redirect(w, r, "http://"+at+r.URL.Path, http.StatusTemporaryRedirect)
		default:
			http.Error(w, "The portal is at http://"+at, http.StatusMisdirectedRequest)
		}
	})
}
