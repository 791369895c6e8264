"""A plain Flask app: a guest book with a form, a redirect and a session."""

import secrets

from flask import Flask, redirect, render_template_string, request, session, url_for

PAGE = """<!doctype html>
<html lang="en">
<title>Guest book</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<style>body { font-family: system-ui; max-width: 36rem; margin: 3rem auto; padding: 0 1rem }</style>
<h1>Guest book</h1>
<form method="post" action="{{ url_for('sign') }}">
  <label>Name <input name="name" id="name" required maxlength="40" value="{{ session.name or '' }}"></label>
  <button id="sign">Sign</button>
</form>
<ul id="guests">{% for guest in guests %}<li>{{ guest }}</li>{% endfor %}</ul>
"""

app = Flask(__name__)
app.secret_key = secrets.token_hex()
guests: list[str] = []


@app.get("/")
def home():
    return render_template_string(PAGE, guests=guests)


@app.post("/sign")
def sign():
    session["name"] = request.form["name"][:40]
    guests.append(session["name"])
    del guests[:-20]
    return redirect(url_for("home"))


if __name__ == "__main__":
    app.run(debug=True)
