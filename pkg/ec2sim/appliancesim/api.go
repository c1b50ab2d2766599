package appliancesim

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxBody is how many bytes of a request are read.
const maxBody = 4 << 20

// answer is an answer of the API.
type answer struct {
	status  int
	cookies []*http.Cookie
	body    map[string]any
}

// ServeHTTP answers one call, or lets it go wrong. /_sim/ is its control, which no appliance has.
func (a *Appliance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if path, is := strings.CutPrefix(r.URL.Path, "/_sim/"); is {
		a.control(w, r, path, body)
		return
	}
	a.mu.Lock()
	a.counts.Requests[r.Method+" "+r.URL.Path]++
	fault := a.strike(r)
	var got answer
	switch {
	case fault != nil && fault.before():
		got = answer{status: fault.Status, body: map[string]any{"status": "error", "error": -3}}
	default:
		got = a.serve(r, body, fault != nil && fault.Kind == Ignored)
	}
	a.mu.Unlock()
	if fault != nil {
		fault.after(w, r, a, &got)
	}
	write(w, got)
}

func write(w http.ResponseWriter, got answer) {
	for _, c := range got.cookies {
		http.SetCookie(w, c)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(got.status)
	_ = json.NewEncoder(w).Encode(got.body)
}

// serve answers a call. Ignored has it answer a change without making it.
func (a *Appliance) serve(r *http.Request, body []byte, ignored bool) answer {
	if strings.Contains(r.URL.RawQuery, "secret") || strings.Contains(r.URL.RawQuery, "token") {
		return a.refuse(http.StatusBadRequest)
	}
	if r.URL.Path == "/api/v2/authentication" && r.Method == http.MethodPost {
		return a.logIn(body, ignored)
	}
	key, csrf := sessionOf(r)
	own, ok := a.sessions[key]
	switch {
	case !ok:
		return a.refuse(http.StatusUnauthorized)
	case r.Method != http.MethodGet && csrf != own:
		return a.refuse(http.StatusForbidden)
	case r.URL.Path == "/api/v2/authentication" && r.Method == http.MethodDelete:
		delete(a.sessions, key)
		a.counts.Logouts++
		return a.success(nil)
	}
	return a.inSession(r, body, ignored)
}

func (a *Appliance) inSession(r *http.Request, body []byte, ignored bool) answer {
	switch call := r.Method + " " + r.URL.Path; call {
	case "GET /api/v2/monitor/system/status":
		return a.success(map[string]any{"hostname": a.serial, "model": "FGTAWS"})
	case "GET /api/v2/monitor/license/status":
		status := "vm_eval"
		if a.licensed {
			status = "vm_valid"
		}
		return a.success(map[string]any{"vm": map[string]any{"valid": true, "status": status}})
	case "GET /api/v2/monitor/system/config-script":
		return a.success(map[string]any{"conf_scripts": map[string]any{"history": a.history}})
	case "POST /api/v2/monitor/system/config-script/upload":
		return a.upload(body, ignored)
	case "POST /api/v2/monitor/system/vmlicense/upload",
		"POST /api/v2/monitor/system/vmlicense/download":
		return a.license(body, ignored)
	}
	path, is := strings.CutPrefix(r.URL.Path, "/api/v2/cmdb/")
	if results := a.config.results(path); is && r.Method == http.MethodGet && results != nil {
		return a.success(results)
	}
	return a.refuse(http.StatusNotFound)
}

func (a *Appliance) success(results any) answer {
	return answer{status: http.StatusOK, body: map[string]any{
		"status": "success", "http_status": http.StatusOK, "results": results, "serial": a.serial,
		"version": "v7.4.5", "build": 2702,
	}}
}

func (a *Appliance) refuse(status int) answer {
	return answer{status: status, body: map[string]any{
		"status": "error", "http_status": status, "serial": a.serial,
	}}
}

// The codes of a login.
const (
	codeIn, codeNewPassword, codeRefused = 5, 4, -1
	// lockedAfter is how many refused logins in a row lock the administrator.
	lockedAfter = 3
)

func (a *Appliance) logIn(body []byte, ignored bool) answer {
	var in struct {
		Username  string `json:"username"`
		Secret    string `json:"secretkey"`
		New       string `json:"new_password1"`
		NewAgain  string `json:"new_password2"`
		PostLogin bool   `json:"ack_post_disclaimer"`
	}
	said := func(code int, message string) answer {
		return answer{status: http.StatusOK, body: map[string]any{
			"status_code": code, "status_message": message,
		}}
	}
	if json.Unmarshal(body, &in) != nil {
		return a.refuse(http.StatusBadRequest)
	}
	wrong := in.Username != a.options.Administrator || in.Secret != a.password
	switch {
	case a.refusedInARow >= lockedAfter:
		return said(codeRefused, "LOGIN_LOCKED")
	case wrong:
		a.counts.RefusedLogins++
		a.refusedInARow++
		return said(codeRefused, "LOGIN_FAILED")
	case !a.changed && (in.New == "" || in.New != in.NewAgain):
		return said(codeNewPassword, "LOGIN_PASSWORD_CHANGE")
	case !a.changed && len(in.New) < 8:
		return said(codeNewPassword, "LOGIN_PASSWORD_POLICY "+in.New)
	case in.New != "" && !ignored:
		a.password, a.changed = in.New, true
		a.counts.PasswordChanges++
	}
	a.counts.Logins++
	a.refusedInARow = 0
	key, csrf := newKey(), newKey()
	a.sessions[key] = csrf
	got := said(codeIn, "LOGIN_SUCCESS")
	port := strconv.Itoa(int(a.Address().Port()))
	got.cookies = []*http.Cookie{
		{Name: "session_key_" + port, Value: key, Secure: true, HttpOnly: true, Path: "/"},
		{Name: "ccsrftoken_" + port, Value: csrf, Quoted: true, Secure: true, Path: "/"},
	}
	return got
}

// sessionOf are the session and the token that a call carries.
func sessionOf(r *http.Request) (key, csrf string) {
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, "session_key") {
			key = c.Value
		}
	}
	return key, r.Header.Get("X-CSRFTOKEN")
}

// maxHistory is how many scripts are remembered.
const maxHistory = 10

func (a *Appliance) upload(body []byte, ignored bool) answer {
	var in struct {
		Name    string `json:"filename"`
		Content string `json:"file_content"`
	}
	text, err := []byte(nil), json.Unmarshal(body, &in)
	if err == nil {
		text, err = base64.StdEncoding.DecodeString(in.Content)
	}
	if err != nil || in.Name == "" {
		return a.refuse(http.StatusBadRequest)
	}
	got := a.success(map[string]any{})
	if ignored {
		return got
	}
	a.counts.Scripts++
	status := "success"
	if errors := a.config.run(string(text)); errors != "" {
		status = "failed"
		got.body["cli_error"] = errors
	}
	a.history = append([]Script{{in.Name, status, string(text)}}, a.history...)
	a.history = a.history[:min(len(a.history), maxHistory)]
	return got
}

// license takes a licence, and restarts: sessions end, and connections are dropped for a time.
func (a *Appliance) license(body []byte, ignored bool) answer {
	var in struct {
		Content string `json:"file_content"`
		Token   string `json:"token"`
	}
	if json.Unmarshal(body, &in) != nil {
		return a.refuse(http.StatusBadRequest)
	}
	text, err := base64.StdEncoding.DecodeString(in.Content)
	if err != nil || len(text) == 0 && in.Token == "" {
		return a.refuse(http.StatusBadRequest)
	}
	got := a.success(map[string]any{})
	if ignored {
		return got
	}
	a.counts.Licenses++
	a.licensed, a.serial, a.given = true, "FGVM040000000001", string(text)+in.Token
	a.down, a.sessions = a.options.Restart, map[string]string{}
	return got
}
