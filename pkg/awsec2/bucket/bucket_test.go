package bucket

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"aws-provider-executor/pkg/awsec2"
	"aws-provider-executor/pkg/protocol"
)

// opened is a bucket that a handler answers for.
func opened(t *testing.T, h http.HandlerFunc) *Bucket {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_S3": server.URL, "AWS_ACCESS_KEY_ID": "AKIAANYBODY000000000",
		"AWS_SECRET_ACCESS_KEY": "anything", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	log := slog.New(slog.DiscardHandler)
	c, err := awsec2.Connect(t.Context(), "eu-west-1", time.Minute, log)
	if err != nil {
		t.Fatal(err)
	}
	return Open(c, "my-licences")
}

// TestL24AllPages: a bucket of more objects than one page has is listed to its end.
func TestL24AllPages(t *testing.T) {
	const pages, each = 3, 1000
	b := opened(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.URL.Path != "/my-licences" && r.URL.Path != "/my-licences/" || q.Get("prefix") != "edge/" ||
			q.Get("delimiter") != "/" {
			t.Errorf("asked is %s", r.URL)
		}
		page := 0
		_, _ = fmt.Sscan(q.Get("continuation-token"), &page)
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprint(w, `<?xml version="1.0"?><ListBucketResult><Contents><Key>edge/</Key></Contents>`)
		for n := range each {
			fmt.Fprintf(w, `<Contents><Key>edge/L%d.lic</Key></Contents>`, page*each+n)
		}
		if page+1 < pages {
			fmt.Fprintf(w, `<IsTruncated>true</IsTruncated><NextContinuationToken>%d`+
				`</NextContinuationToken>`, page+1)
		}
		fmt.Fprint(w, `</ListBucketResult>`)
	})
	names, err := b.Names(t.Context(), "edge/")
	if err != nil || len(names) != pages*each || !slices.Contains(names, "L2999.lic") {
		t.Errorf("%d are listed (%v)", len(names), err)
	}
}

// TestObject: an object is read whole, or not at all.
func TestObject(t *testing.T) {
	b := opened(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/my-licences/edge/L1.lic":
			fmt.Fprint(w, "SECRET")
		case "/my-licences/edge/denied.lic":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<Error><Code>AccessDenied</Code><Message>no</Message></Error>`)
		default:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `<Error><Code>NoSuchKey</Code><Message>no</Message></Error>`)
		}
	})
	got, err := b.Object(t.Context(), "edge/L1.lic", 6)
	if err != nil || string(got) != "SECRET" {
		t.Errorf("it is %q (%v)", got, err)
	}
	for key, want := range map[string]protocol.FailureClass{
		"edge/none.lic": protocol.NotFound, "edge/denied.lic": protocol.Authorization,
	} {
		_, err := b.Object(t.Context(), key, 6)
		var f *protocol.Failure
		if !errors.As(err, &f) || f.Class != want || !strings.Contains(f.Message, key) {
			t.Errorf("%s: %v", key, err)
		}
		if want == protocol.Authorization && f.Facts[protocol.FactPermissionHint] != "s3:GetObject" {
			t.Errorf("the hint is %q", f.Facts[protocol.FactPermissionHint])
		}
	}
	if _, err := b.Object(t.Context(), "edge/L1.lic", 5); err == nil {
		t.Error("an object that is too large is read")
	}
}
