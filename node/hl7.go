package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"vitalog/exchange"
	"vitalog/feed"
	"vitalog/gateway"
	"vitalog/hl7"
	"vitalog/mllp"
)

// serveHL7 opens the doors for HL7's older forms: CDA documents at the address of the API, and messages, if they are to be listened for.
func (n *Node) serveHL7(dir string, mux *http.ServeMux, fhir http.Handler) error {
	settings := hl7.Settings{Member: n.Config.Name, Systems: n.Config.HL7Systems, Processing: n.Config.HL7Processing}
	if n.Config.HL7Zone != "" {
		zone, err := time.LoadLocation(n.Config.HL7Zone)
		if err != nil {
			return fmt.Errorf("hl7_zone: %w", err)
		}
		settings.Zone = zone
	}
	f := feed.New(feed.Config{Member: n.Member, Gateway: fhir, Settings: settings, Log: n.log,
		Token: func(who exchange.Asker) (string, error) {
			return gateway.IssueToken(n.Ring.Tokens(), n.Member.Name(), n.Config.URL()+"/fhir", who, gateway.MaxTokenLife, time.Now())
		},
		Sender: func(authorization string) (string, error) {
			_, token, _ := strings.Cut(authorization, " ")
			a, err := gateway.ReadToken(n.Ring.Tokens().Public(), n.Member.Name(), n.Config.URL()+"/fhir", strings.TrimSpace(token), time.Now())
			return fmt.Sprintf("%q %q %q %q", a.Practitioner, a.Purpose, a.Client, a.Patient), err
		}})
	mux.Handle("/cda", f.Documents(n.Config.URL()+"/fhir"))
	if n.Config.HL7 == "" {
		return nil
	}
	var secure *tls.Config
	if n.Config.TLSCertificate != "" {
		cert, err := tls.LoadX509KeyPair(inDir(dir, n.Config.TLSCertificate), inDir(dir, n.Config.TLSKey))
		if err != nil {
			return fmt.Errorf("certificate for %s: %w", n.Config.HL7, err)
		}
		secure = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	if n.Config.HL7ClientCA != "" {
		raw, err := os.ReadFile(inDir(dir, n.Config.HL7ClientCA))
		if err != nil {
			return fmt.Errorf("hl7_client_ca: %w", err)
		}
		secure.ClientCAs, secure.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !secure.ClientCAs.AppendCertsFromPEM(raw) {
			return fmt.Errorf("hl7_client_ca: %s has no certificate", n.Config.HL7ClientCA)
		}
	}
	l, err := net.Listen("tcp", n.Config.HL7)
	if err != nil {
		return fmt.Errorf("listening for HL7 v2: %w", err)
	}
	if secure != nil {
		l = tls.NewListener(l, secure)
	}
	s := &mllp.Server{Answer: f.Answer, Refuse: f.Refuse, MaxMessage: hl7.MaxMessage, Log: n.log}
	ctx, stop := context.WithCancel(context.Background())
	n.feed = stop
	n.fed.Go(func() {
		if err := s.Serve(ctx, l); err != nil {
			n.log.Error("serving HL7 v2", "err", err)
		}
	})
	return nil
}
