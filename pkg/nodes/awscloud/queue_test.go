package awscloud_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"aws-provider-executor/pkg/nodes/awscloud"
)

// sqsOf answers as SQS does, in its JSON. It deletes what it is told to, but for "stays".
func sqsOf(t *testing.T, bodies map[string]string, deleted *[]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			QueueUrl        string
			WaitTimeSeconds int
			Entries         []struct{ Id, ReceiptHandle string }
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		switch r.Header.Get("X-Amz-Target") {
		case "AmazonSQS.ReceiveMessage":
			if in.WaitTimeSeconds != 20 || !strings.HasSuffix(in.QueueUrl, "/123456789012/nodes") {
				t.Error(in)
			}
			var all []map[string]string
			for receipt, body := range bodies {
				all = append(all, map[string]string{"MessageId": "m-" + receipt, "ReceiptHandle": receipt,
					"Body": body})
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"Messages": all})
		case "AmazonSQS.DeleteMessageBatch":
			var good, bad []map[string]any
			for _, e := range in.Entries {
				if e.ReceiptHandle == "stays" {
					bad = append(bad, map[string]any{"Id": e.Id, "Code": "ReceiptHandleIsInvalid",
						"SenderFault": true})
					continue
				}
				*deleted = append(*deleted, e.ReceiptHandle)
				good = append(good, map[string]any{"Id": e.Id})
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"Successful": good, "Failed": bad})
		default:
			http.Error(w, `{"__type":"com.amazonaws.sqs#AccessDenied","message":"no"}`, http.StatusForbidden)
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_SQS", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-test")
	t.Setenv("AWS_REGION", "eu-west-1")
	return server.URL + "/123456789012/nodes"
}

// TestQueue: messages come with what they are deleted by, and a deletion that failed is told.
func TestQueue(t *testing.T) {
	var deleted []string
	address := sqsOf(t, map[string]string{"r1": "one"}, &deleted)
	q, err := awscloud.OpenQueue(t.Context(), address, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	all, err := q.Receive(t.Context())
	if err != nil || len(all) != 1 || all[0].ID != "m-r1" || all[0].Receipt != "r1" ||
		all[0].Body != "one" {
		t.Error(all, err)
	}
	many := strings.Split("a b c d e f g h i j k", " ")
	if err := q.Delete(t.Context(), many); err != nil || !slices.Equal(deleted, many) {
		t.Error(deleted, err)
	}
	if err := q.Delete(t.Context(), []string{"stays"}); err == nil ||
		!strings.Contains(err.Error(), "ReceiptHandleIsInvalid") {
		t.Error(err)
	}
}

func TestNoQueue(t *testing.T) {
	for _, address := range []string{"", "nodes", "arn:aws:sqs:eu-west-1:123456789012:nodes",
		"https://sqs.eu-west-1.amazonaws.com/", "ftp://h/1/n"} {
		_, err := awscloud.OpenQueue(t.Context(), address, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "is no URL of a queue") {
			t.Error(address, err)
		}
	}
}
