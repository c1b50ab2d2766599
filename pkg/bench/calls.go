package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// calls counts, in the stand-in's own log, what the executor sends for one request.
func (b *bench) calls(mode string) (int, error) {
	client, endpoint, err := b.client()
	if err != nil {
		return 0, err
	}
	before, err := countCalls(client, endpoint)
	if err != nil {
		return 0, err
	}
	key := "bench-calls-" + mode
	if _, err := b.process(requestFor(mode, "assign-secondary-ip", key, ""), b.executor); err != nil {
		return 0, err
	}
	after, err := countCalls(client, endpoint)
	if err != nil {
		return 0, err
	}
	if mode == "execute" {
		_, err = b.process(requestFor("execute", "unassign-secondary-ip", key+":undo", `"priorAssigned":"false"`), b.executor)
	}
	return after - before, err
}

func countCalls(client *http.Client, endpoint string) (int, error) {
	response, err := client.Get(endpoint + "/_sim/calls")
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var log []json.RawMessage
	if err := json.NewDecoder(response.Body).Decode(&log); err != nil {
		return 0, fmt.Errorf("cannot read the stand-in's call log: %w", err)
	}
	return len(log), nil
}

func (b *bench) client() (*http.Client, string, error) {
	var endpoint string
	pool := x509.NewCertPool()
	for _, setting := range b.env {
		if value, ok := strings.CutPrefix(setting, "AWS_ENDPOINT_URL_EC2="); ok {
			endpoint = value
		}
		if path, ok := strings.CutPrefix(setting, "AWS_CA_BUNDLE="); ok {
			pem, err := os.ReadFile(path)
			if err != nil {
				return nil, "", err
			}
			pool.AppendCertsFromPEM(pem)
		}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}, endpoint, nil
}
