package endpoint_test

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"aws-provider-executor/pkg/nodes/service"
	"aws-provider-executor/pkg/nodes/service/endpoint"
)

// whatMay answers with what a caller may do.
var whatMay = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if why, only := service.ReadsOnly(r.Context()); only {
		fmt.Fprint(w, "reads: ", why)
		return
	}
	fmt.Fprint(w, "writes")
})

// TestRights: the first line that fits holds, for tokens and certificates. Who is in none may only
// read, and nobody writes while the file can't be read. Users of the machine write.
func TestRights(t *testing.T) {
	a := newAuthority(t)
	cert, key, _ := a.sign("server")
	_, _, robot := a.sign("robot")
	_, _, other := a.sign("other")
	const reader, stranger = "r" + token, "s" + token
	tokens := write(t, "tokens", "bot "+token+"\nreader "+reader+"\nstranger "+stranger)
	rights := write(t, "rights", "# ours\n\nread token reader\nwrite token *r\n"+
		"write token bot\nwrite certificate CN=rob*\n")
	at, _ := serve(t, whatMay, endpoint.Options{Addresses: []string{"127.0.0.1:0",
		"unix:" + t.TempDir() + "/d/s"}, Certificate: cert, Key: key, ClientCA: a.file, Tokens: tokens,
		Rights: rights})
	says := func(c *http.Client, headers ...string) string {
		t.Helper()
		_, text := answer(t, c, request(t, "POST", "https://"+at[0], headers...))
		return text
	}
	bearer := func(token string) []string { return []string{"Authorization", "Bearer " + token} }
	if text := says(a.by(), bearer(token)...); text != "writes" {
		t.Error(text)
	}
	if text := says(a.by(), bearer(reader)...); text !=
		"reads: token reader may only read, by the server's file of rights" {
		t.Error(text)
	}
	if text := says(a.by(), bearer(stranger)...); text != "writes" {
		t.Error(text)
	}
	if text := says(a.by(robot)); text != "writes" {
		t.Error(text)
	}
	if text := says(a.by(other)); !strings.HasPrefix(text, "reads: certificate CN=other") {
		t.Error(text)
	}
	local := &http.Client{Transport: &http.Transport{DialContext: func(
		ctx context.Context, _, _ string,
	) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(at[1], "unix:"))
	}}}
	if _, text := answer(t, local, request(t, "POST", "http://localhost")); text != "writes" {
		t.Error(text)
	}
	rewrite(t, rights, "write bot\n")
	if text := says(a.by(), bearer(token)...); text !=
		"reads: nobody may while the file of rights can't be read" {
		t.Error(text)
	}
	rewrite(t, rights, "read token r*\nwrite *\n")
	if text := says(a.by(), bearer(token)...); text != "writes" {
		t.Error(text)
	}
	// Who may write the file is seen at once, too, and once that is mended it holds as before.
	for _, x := range []struct {
		mode fs.FileMode
		want string
	}{{0o622, "reads: nobody may"}, {0o600, "writes"}} {
		if err := os.Chmod(rights, x.mode); err != nil {
			t.Fatal(err)
		}
		if text := says(a.by(), bearer(token)...); !strings.HasPrefix(text, x.want) {
			t.Errorf("%o: %s", x.mode, text)
		}
	}
	rewrite(t, rights, "")
	if text := says(a.by(), bearer(token)...); !strings.HasPrefix(text, "reads: token bot") {
		t.Error(text)
	}
}

// TestRightsRefusedAtStart: rights that can't be meant are refused before anything is served.
func TestRightsRefusedAtStart(t *testing.T) {
	tokens, open := write(t, "tokens", "bot "+token), write(t, "open", "write token bot")
	if err := os.Chmod(open, 0o622); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]endpoint.Options{
		"rights are of callers": {Rights: write(t, "r", "write token bot")},
		"line 2 of":             {Tokens: tokens, Rights: write(t, "r", "read token bot\nadmin token a")},
		"then token NAME":       {Tokens: tokens, Rights: write(t, "r", "write token")},
		"no read or write":      {Tokens: tokens, Rights: write(t, "r", "write bot")},
		"can be written by":     {Tokens: tokens, Rights: open},
		"no such file":          {Tokens: tokens, Rights: open + "-gone"},
	} {
		o.Addresses = []string{"127.0.0.1:0"}
		if _, err := endpoint.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
