package query

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type embedded struct{ DryRun bool }

type params struct {
	embedded
	Id     string `query:"required"`
	Count  *int
	Names  []string
	Filter []struct {
		Name  string
		Value []string
	}
	Check *struct{ Value *bool }
	Later []string `query:"unheld"`
}

func decode(query string) (params, error) {
	form, err := url.ParseQuery(query)
	if err != nil {
		panic(err)
	}
	var p params
	return p, Decode(form, &p)
}

func TestDecodeRefuses(t *testing.T) {
	for _, tt := range []struct{ name, query, want string }{
		{"required is absent", "Count=1", "missing parameter Id"},
		{"required is empty", "Id=", "missing parameter Id"},
		{"unknown", "Id=a&Nmaes.1=b", "unknown parameter Nmaes.1"},
		{"unknown below", "Id=a&Filter.1.Nome=b", "unknown parameter Filter.1.Nome"},
		{"first of several unknown", "Id=a&Z=1&B.2=1&B.1=1", "unknown parameter B.1"},
		{"list without a number", "Id=a&Names=b", "unknown parameter Names"},
		{"list from nought", "Id=a&Names.0=b", "unknown parameter Names.0"},
		{"number written otherwise", "Id=a&Names.01=b", "unknown parameter Names.01"},
		{"scalar with a member", "Id.1=a", "unknown parameter Id.1"},
		{"scalar and a member", "Id=a&Id.1=a", "unknown parameter Id.1"},
		{"struct as a scalar", "Id=a&Check=true", "unknown parameter Check"},
		{"not a boolean", "Id=a&DryRun=1", "parameter DryRun is not of type boolean: 1"},
		{"not a number", "Id=a&Count=x", "parameter Count is not of type integer: x"},
		{"too large a number", "Id=a&Count=9999999999",
			"parameter Count is not of type integer: 9999999999"},
		{"not held", "Id=a&Later.3=x", "parameter not implemented: Later.3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := decode(tt.query); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	p, err := decode(
		"Action=X&Version=1&Id=a&DryRun=TRUE&Count=3&Names.10=c&Names.2=b&Filter.1.Name=n&" +
			"Filter.1.Value.1=&Check.Value=false")
	if err != nil {
		t.Fatal(err)
	}
	if !p.DryRun || *p.Count != 3 || *p.Check.Value {
		t.Errorf("decoded %+v", p)
	}
	if diff := cmp.Diff([]string{"b", "c"}, p.Names); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{""}, p.Filter[0].Value); diff != "" {
		t.Error(diff)
	}
}

func TestEncode(t *testing.T) {
	body := struct {
		Set  Items[string] `xml:"nameSet"`
		Next string        `xml:"nextToken,omitempty"`
	}{}
	got, err := Answer("DescribeX", "r-1", body)
	want := `<DescribeXResponse ` +
		`xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r-1</requestId><nameSet>` +
		`</nameSet></DescribeXResponse>`
	if err != nil || !strings.HasSuffix(string(got), "?>\n"+want) {
		t.Errorf("got %s %v", got, err)
	}
	got, err = Refusal("r-2", "A.B", `"<x>"`)
	want = `<Response><Errors><Error><Code>A.B</Code><Message>&#34;&lt;x&gt;&#34;</Message></Error>` +
		`</Errors><RequestID>r-2</RequestID></Response>`
	if err != nil || !strings.HasSuffix(string(got), "?>\n"+want) {
		t.Errorf("got %s %v", got, err)
	}
}
