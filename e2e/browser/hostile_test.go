package browser

import (
	"fmt"
	"reflect"
	"time"

	"vault-plugin-secrets-github/internal/auditlog"
	"vault-plugin-secrets-github/internal/auditlog/finding"
	"vault-plugin-secrets-github/internal/auditlog/htmlreport"
	"vault-plugin-secrets-github/internal/auditlog/ledger"
)

// attacks are what an attacker would call a branch, a repository or a user agent. What
// runs sets window.pwned.
var attacks = []string{
	`</script><script>window.pwned=1</script>`,
	`<img src=x onerror="window.pwned=1">`,
	`"><svg onload="window.pwned=1"></svg>`,
	`' onmouseover='window.pwned=1' autofocus onfocus='window.pwned=1`,
	`javascript:window.pwned=1`,
	`--><!--<script>window.pwned=1</script>`,
	`</title></style><iframe srcdoc="<script>top.pwned=1</script>"></iframe>`,
	"\u2028window.pwned=1\u2029",
	"main\u202egnp.\u200b", // would show as "main", then ".png" backwards
	`{{title}}${window.pwned=1}`,
	`__proto__`, `constructor`, `../../#/findings?a=b&c=%zz`,
}

// writeHostile writes a report in which every text is an attack.
func writeHostile(report *htmlreport.Writer) error {
	var accounts []*ledger.Account
	var strays []ledger.Stray
	var found []finding.Finding
	for i, attack := range attacks {
		a := &ledger.Account{Request: auditlog.Request{Grant: &auditlog.Grant{}}}
		poison(reflect.ValueOf(a).Elem(), attack)
		a.Outcome, a.Time, a.Joined = auditlog.Issued, begin.Add(time.Duration(i)*time.Minute), true
		if i%2 == 1 {
			a.Outcome, a.Grant = auditlog.Refused, nil
		}
		accounts = append(accounts, a)

		var s ledger.Stray
		poison(reflect.ValueOf(&s).Elem(), attack)
		s.Time = a.Time
		strays = append(strays, s)

		f := finding.Finding{Evidence: make([]finding.Evidence, 1)}
		poison(reflect.ValueOf(&f).Elem(), attack)
		f.Severity, f.First, f.Last, f.Evidence[0].Time = finding.High, a.Time, a.Time, a.Time
		found = append(found, f)
	}
	for i := range accounts {
		if err := report.Account(accounts[i]); err != nil {
			return err
		}
		if err := report.Stray(strays[i]); err != nil {
			return err
		}
	}
	return report.Close(found, attacks)
}

// poison sets every text that a value holds, keys of maps too.
func poison(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		poison(v.Elem(), text)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type() != reflect.TypeFor[time.Time]() {
				poison(v.Field(i), text)
			}
		}
	case reflect.Slice:
		if v.Len() == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		poison(v.Index(0), text)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		poison(value, text)
		v.SetMapIndex(reflect.ValueOf(text), value)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Bool:
	default:
		panic(fmt.Sprintf("cannot poison a %s", v.Type()))
	}
}
