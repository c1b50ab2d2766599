package fortigate

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"aws-provider-executor/pkg/protocol"
)

// login is what a FortiGate answers to a login.
type login struct {
	Code    *int   `json:"status_code"`
	Message string `json:"status_message"`
	Key     string `json:"session_key"`
}

// loggedIn is the code of a login that opened a session.
const loggedIn = 5

func (l login) isIn() bool { return l.Code != nil && *l.Code == loggedIn }

// isRefused reports whether the password is not the right one. Any other code asks for a further
// step, such as a new password.
func (l login) isRefused() bool { return l.Code == nil || *l.Code < 0 }

// session is what a login opened.
type session struct {
	of      *FortiGate
	cookies []*http.Cookie
	key     string
	// first reports whether the first password is still the right one. There is no session then.
	first bool
	// role is the kind of the role that was given last, by the scripts that it tells of, and partly
	// whether it refused lines of that.
	role   string
	partly bool
}

// logIn opens a session with the password that is likely to be right, or else with the other one.
// At most one login is refused of a FortiGate that has either.
func (f *FortiGate) logIn(ctx context.Context) (*session, error) {
	order := []string{f.access.First, f.access.Password}
	if f.access.WasSet || f.works != "" && f.works == f.access.Password {
		slices.Reverse(order)
	}
	var last login
	for i, password := range order {
		if password == "" || i > 0 && password == order[0] {
			continue
		}
		answer, cookies, err := f.authenticate(ctx, password, "")
		if err != nil {
			var lost *protocol.Failure
			if !errors.As(err, &lost) {
				lost = protocol.Refuse(protocol.Unavailable, "%v", err)
			}
			return nil, lost
		}
		s := &session{of: f, cookies: cookies, key: answer.Key, first: password == f.access.First}
		switch {
		case answer.isIn() && s.first:
			// It did not ask for a new password, and is to have one all the same.
			f.works = password
			s.logOut(ctx)
			return s, nil
		case answer.isIn():
			f.works = password
			return s, nil
		case !answer.isRefused() && s.first:
			f.works = password
			return s, nil
		}
		last = answer
	}
	return nil, f.locked(last)
}

// locked refuses an appliance that takes neither password.
func (f *FortiGate) locked(last login) *protocol.Failure {
	refusal := protocol.Refuse(protocol.Authentication,
		"%s takes neither its first password nor the one that the secret holds, for %s (it says %s); "+
			"name the right secret; too many refused logins lock it for a time",
		f.name(), protocol.Quote(f.access.Administrator), f.said(last.Message))
	if strings.Contains(strings.ToLower(last.Message), "lock") {
		again := true
		refusal.Retryable = &again
	}
	return refusal
}

// authenticate makes one login, and has the password replaced by it if there is a new one. Only
// then it is a change, whose answer may be lost.
func (f *FortiGate) authenticate(
	ctx context.Context, password, replaced string,
) (login, []*http.Cookie, error) {
	body := map[string]any{
		"username": f.access.Administrator, "secretkey": password,
		"ack_pre_disclaimer": true, "ack_post_disclaimer": true,
	}
	if replaced != "" {
		body["new_password1"], body["new_password2"] = replaced, replaced
	}
	var answer login
	response, err := f.call(ctx, request{
		method: http.MethodPost, path: pathAuthentication, body: body, into: &answer,
		changes: replaced != "", refusable: true,
	})
	switch {
	case err != nil:
		return login{}, nil, err
	case answer.Code == nil && response.status == http.StatusOK:
		lost := f.unreadable(pathAuthentication)
		if replaced != "" {
			return login{}, nil, unknown(lost)
		}
		return login{}, nil, lost
	}
	return answer, response.cookies, nil
}

// logOut closes the session. A session that can't be closed ends by itself.
func (s *session) logOut(ctx context.Context) {
	if len(s.cookies) == 0 && s.key == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), logOutFor)
	defer cancel()
	_, _ = s.of.call(ctx, request{method: http.MethodDelete, path: pathAuthentication, session: s})
}

// authorise adds what the session is known by.
func (s *session) authorise(r *http.Request) {
	for _, c := range s.cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value, Quoted: c.Quoted})
		if strings.HasPrefix(c.Name, "ccsrftoken") {
			r.Header.Set("X-CSRFTOKEN", strings.Trim(c.Value, `"`))
		}
	}
	if len(s.cookies) == 0 && s.key != "" {
		r.Header.Set("Authorization", "Bearer "+s.key)
	}
}

// envelope is what every answer of the API has around its results.
type envelope struct {
	Status   string `json:"status"`
	Serial   string `json:"serial"`
	Version  string `json:"version"`
	CLIError string `json:"cli_error"`
	Results  any    `json:"results"`
}

// succeeded is the word of an answer that is one.
const succeeded = "success"

// read reads results. An answer that does not say that it succeeded is none.
func (s *session) read(ctx context.Context, path string, results any) (envelope, error) {
	answer := envelope{Results: results}
	_, err := s.of.call(ctx, request{
		method: http.MethodGet, path: path, session: s, into: &answer,
	})
	if err == nil && answer.Status != succeeded {
		err = s.unreadable(path)
	}
	return answer, err
}

// change sends a change.
func (s *session) change(
	ctx context.Context, path string, body map[string]string, secrets ...string,
) (envelope, error) {
	var answer envelope
	_, err := s.of.call(ctx, request{
		method: http.MethodPost, path: path, session: s, body: body, into: &answer, changes: true,
		secrets: secrets,
	})
	if err == nil && answer.Status != succeeded {
		err = unknown(s.of.unreadable(path))
	}
	return answer, err
}

func (s *session) unreadable(path string) *protocol.Failure { return s.of.unreadable(path) }
