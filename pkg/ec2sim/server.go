package ec2sim

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"aws-provider-executor/pkg/ec2sim/internal/httpserver"
	"aws-provider-executor/pkg/ec2sim/internal/imds"
	"aws-provider-executor/pkg/ec2sim/internal/selfca"
)

// ServerOptions says where and how a Sim is served.
type ServerOptions struct {
	Addr string // host:port; a free port of 127.0.0.1 when empty
	TLS  bool   // HTTPS, under an authority made for this server
	// CAFile is where the authority's certificate is written; a temporary file when empty.
	CAFile       string
	Metadata     *MetadataOptions // a metadata service beside it, on a port of its own
	MetadataAddr string           // host:port; a free port of 127.0.0.1 when empty
	Region       string           // for Env; the first region that holds something when empty
}

// Server serves a Sim over HTTP.
type Server struct {
	sim      *Sim
	region   string
	url      string
	api      *http.Server
	metadata *imds.Server
	caPEM    []byte
	caFile   string
	temp     string
	close    sync.Once
}

// Start serves the Sim until Close. The ports are open when it returns.
func Start(s *Sim, o ServerOptions) (*Server, error) {
	srv := &Server{sim: s, region: o.Region}
	if srv.region == "" {
		srv.region = s.firstRegion()
	}
	if err := srv.startAPI(o); err != nil {
		srv.Close()
		return nil, err
	}
	if o.Metadata != nil {
		m, err := imds.Start(s.Metadata(*o.Metadata), o.MetadataAddr)
		if err != nil {
			srv.Close()
			return nil, err
		}
		srv.metadata = m
		s.mu.Lock()
		s.metadata = append(s.metadata, m.Service)
		s.mu.Unlock()
	}
	return srv, nil
}

func (srv *Server) startAPI(o ServerOptions) error {
	if o.Addr == "" {
		o.Addr = httpserver.AnyPort
	}
	srv.api = httpserver.New(srv.sim)
	l, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return err
	}
	srv.url = "http://" + httpserver.Reached(l)
	if o.TLS {
		if l, err = srv.secure(l, o); err != nil {
			return errors.Join(err, l.Close())
		}
		srv.url = "https://" + httpserver.Reached(l)
	}
	go func() { _ = srv.api.Serve(l) }() // ends with ErrServerClosed
	return nil
}

// secure makes the authority and returns the listener that uses it.
func (srv *Server) secure(l net.Listener, o ServerOptions) (net.Listener, error) {
	host, _, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return l, err
	}
	ca, cert, err := selfca.New("127.0.0.1", "::1", "localhost", host)
	if err != nil {
		return l, err
	}
	srv.caPEM, srv.caFile = ca, o.CAFile
	if srv.caFile == "" {
		if srv.temp, err = os.MkdirTemp("", "ec2sim-"); err != nil {
			return l, err
		}
		srv.caFile = filepath.Join(srv.temp, "ca.pem")
	}
	if err := os.WriteFile(srv.caFile, ca, 0o644); err != nil {
		return l, err
	}
	return tls.NewListener(l,
		&tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}), nil
}

// URL is the endpoint of the EC2 API.
func (srv *Server) URL() string { return srv.url }

// MetadataURL is the endpoint of the metadata service, or "".
func (srv *Server) MetadataURL() string {
	if srv.metadata == nil {
		return ""
	}
	return srv.metadata.URL
}

// Metadata is the metadata service, or nil.
func (srv *Server) Metadata() *Metadata {
	if srv.metadata == nil {
		return nil
	}
	return srv.metadata.Service
}

// CAPEM is the certificate of the authority that the server's own is under, or nil without TLS.
func (srv *Server) CAPEM() []byte { return slices.Clone(srv.caPEM) }

// CAFile is the file CAPEM is in, or "". A temporary one goes with Close.
func (srv *Server) CAFile() string { return srv.caFile }

// Env returns KEY=VALUE lines that point an AWS SDK, the AWS CLI or the executor at the server, for
// EC2, STS, IAM and SQS, with long-term credentials of the Sim's.
func (srv *Server) Env() []string {
	k := srv.sim.cfg.operator
	if k.AccessKeyID == "" {
		k.AccessKeyID, k.SecretAccessKey = "AKIAANYBODY000000000", "anything"
	}
	return append(srv.RoleEnv(), "AWS_ACCESS_KEY_ID="+k.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY="+k.SecretAccessKey)
}

// RoleEnv is Env without credentials, so that they come from the metadata service.
func (srv *Server) RoleEnv() []string {
	env := []string{
		"AWS_ENDPOINT_URL_EC2=" + srv.url,
		"AWS_ENDPOINT_URL_STS=" + srv.url,
		"AWS_ENDPOINT_URL_IAM=" + srv.url,
		"AWS_ENDPOINT_URL_SQS=" + srv.url,
		"AWS_ENDPOINT_URL_SSM=" + srv.url,
		"AWS_ENDPOINT_URL_AUTO_SCALING=" + srv.url,
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + srv.url,
		"AWS_REGION=" + srv.region,
		"AWS_DEFAULT_REGION=" + srv.region, // the AWS CLI version 1 knows no other
	}
	if srv.caFile != "" {
		env = append(env, "AWS_CA_BUNDLE="+srv.caFile)
	}
	if url := srv.MetadataURL(); url != "" {
		return append(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT="+url)
	}
	return append(env, "AWS_EC2_METADATA_DISABLED=true")
}

// Close ends the server and its connections at once. The Sim stays; delayed calls under way have no
// answer.
func (srv *Server) Close() {
	srv.close.Do(func() {
		srv.sim.endDelays()
		_ = srv.api.Close()
		if srv.metadata != nil {
			srv.metadata.End()
		}
		if srv.temp != "" {
			_ = os.RemoveAll(srv.temp)
		}
	})
}
