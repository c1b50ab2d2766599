package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync/atomic"

	"aws-provider-executor/pkg/ec2sim"
)

// stateTable is a table of moto's DynamoDB, behind what counts the calls to it.
type stateTable struct {
	moto  *exec.Cmd
	proxy *httptest.Server
	calls atomic.Int64
}

const tableName = "bench"

// newStateTable starts moto, and makes an empty table there.
func (b *bench) newStateTable(ctx context.Context) (*stateTable, error) {
	argv := b.python.MotoServer("-H", "127.0.0.1", "-p", "0")
	s := &stateTable{moto: exec.CommandContext(ctx, argv[0], argv[1:]...)}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.moto.Stdout, s.moto.Stderr = write, write
	err = s.moto.Start()
	write.Close()
	if err != nil {
		read.Close()
		return nil, err
	}
	at, err := saidWhere(read)
	if err != nil {
		s.close()
		return nil, err
	}
	to := httputil.NewSingleHostReverseProxy(at)
	s.proxy = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		to.ServeHTTP(w, r)
	}))
	if err := s.make(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// saidWhere reads what moto says until it says where it is. The rest is thrown away.
func saidWhere(said io.ReadCloser) (*url.URL, error) {
	where := regexp.MustCompile(`Running on (http://\S+)`)
	lines := bufio.NewScanner(said)
	var all []byte
	for lines.Scan() {
		all = append(append(all, lines.Bytes()...), '\n')
		if found := where.FindSubmatch(lines.Bytes()); found != nil {
			go func() {
				_, _ = io.Copy(io.Discard, said)
				said.Close()
			}()
			return url.Parse(string(found[1]))
		}
	}
	return nil, errors.Join(fmt.Errorf("moto does not start: %s", tail(all)), said.Close())
}

// make makes the table.
func (s *stateTable) make() error {
	type named map[string]string
	body, err := json.Marshal(map[string]any{
		"TableName": tableName, "BillingMode": "PAY_PER_REQUEST",
		"AttributeDefinitions": []named{{"AttributeName": "pk", "AttributeType": "S"},
			{"AttributeName": "sk", "AttributeType": "S"}},
		"KeySchema": []named{{"AttributeName": "pk", "KeyType": "HASH"},
			{"AttributeName": "sk", "KeyType": "RANGE"}},
	})
	if err != nil {
		return err
	}
	r, err := http.NewRequest(http.MethodPost, s.proxy.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810.CreateTable")
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAANYBODY000000000/20260101/"+
		region+"/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("moto makes no table: %s", answer.Status)
	}
	return nil
}

// env has an executor keep its records in the table.
func (s *stateTable) env() []string {
	return []string{"AWS_ENDPOINT_URL_DYNAMODB=" + s.proxy.URL,
		"EXECUTOR_STATE_TABLE=arn:aws:dynamodb:" + region + ":123456789012:table/" + tableName}
}

func (s *stateTable) close() {
	if s.proxy != nil {
		s.proxy.Close()
	}
	_ = s.moto.Process.Kill()
	_ = s.moto.Wait()
}

// table measures the ledger that machines share, beside one in files.
func (b *bench) table(ctx context.Context) (section, error) {
	s := section{about: "An action and its undo, each a process of its own, with the records in a " +
		"table of DynamoDB and in files. moto stands in for DynamoDB. It is on the same machine, so " +
		"its time is not told."}
	if b.python.Path == "" {
		s.about += " It was not found, so nothing is measured."
		return s, nil
	}
	server, err := ec2sim.Start(ec2sim.New(ec2sim.Lab()),
		ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		return s, err
	}
	defer server.Close()
	shared, err := b.newStateTable(ctx)
	if err != nil {
		return s, err
	}
	defer shared.close()
	env := append(server.Env(), "PATH="+os.Getenv("PATH"))
	inTable := append(env[:len(env):len(env)], shared.env()...)
	inFiles := append(env[:len(env):len(env)], "EXECUTOR_STATE_DIR="+filepath.Join(b.dir, "state"))
	var table, files series
	var did, undid []float64
	for i := range warmUp + b.rounds {
		key := fmt.Sprintf("bench-%d", i)
		before := shared.calls.Load()
		one, err := b.asked(ctx, inTable, assign("execute", key))
		if err != nil {
			return s, err
		}
		between := shared.calls.Load()
		other, err := b.asked(ctx, inTable, unassign(key))
		if err != nil {
			return s, err
		}
		after := shared.calls.Load()
		beside, err := b.doAndUndo(ctx, inFiles, key)
		if err != nil {
			return s, err
		}
		if i < warmUp {
			continue
		}
		table, files = append(table, one.and(other)), append(files, beside)
		did = append(did, float64(between-before))
		undid = append(undid, float64(after-between))
	}
	s.rows = []row{
		{"an action: calls to the table", count, did, nil, ""},
		{"its undo: calls to the table", count, undid, nil, ""},
		{"both, in the table: CPU", ms, table.millis(), nil, ""},
		{"both, in files: CPU", ms, files.millis(), nil, ""},
		{"both: CPU in the table beside files", times, table.over(files), nil, ""},
		{"in the table: peak", mib, table.peaks(), nil, ""},
	}
	return s, nil
}
