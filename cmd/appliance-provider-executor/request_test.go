package main

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"aws-provider-executor/pkg/protocol"
)

func itoa(n int) string { return strconv.Itoa(n) }

// requestOf is a request for the appliance of a test.
func requestOf(verb, mode, key string, parameters map[string]string) []byte {
	text, err := json.Marshal(map[string]any{
		"apiVersion": protocol.APIVersion, "kind": protocol.RequestKind,
		"spec": map[string]any{
			"action": verb, "provider": "appliance", "providerRef": "edge", "mode": mode,
			"idempotencyKey": key, "parameters": parameters, "target": map[string]string{
				"instanceRef": scriptInstance, "region": "ap-northeast-1", "address": "127.0.0.1",
			},
		},
	})
	if err != nil {
		panic(err)
	}
	return text
}

// writeRequest writes a request. An undo has the facts of a result, as @FILE.
func writeRequest(ts *testscript.TestScript, _ bool, args []string) {
	parameters := map[string]string{
		"adminSecretRef": "file:" + ts.Getenv("WORK") + "/admin", "port": ts.Getenv("PORT"),
		"certificateSha256": ts.Getenv("PIN"),
	}
	for _, arg := range args[4:] {
		if file, is := strings.CutPrefix(arg, "@"); is {
			var result protocol.Result
			ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &result))
			for name, value := range result.Status.Observed {
				parameters[name] = value
			}
			continue
		}
		name, value, _ := strings.Cut(arg, "=")
		parameters[name] = value
	}
	text := requestOf(args[1], args[2], args[3], parameters)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
}
