"""The app as a person sees it, in headless Chromium: upload a prompt, clone a sentence, hear it."""

import base64
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from speechgen.audio.files import read_audio
from speechgen.config import make_config
from speechgen.models.generator import Generator, GeneratorConfig
from speechgen.models.load import save_model
from speechgen.serving.app import build_app, launch, private_folder
from speechgen.serving.clone import Cloner
from speechgen.serving.comparison import Comparer
from speechgen.serving.limits import Limits
from speechgen.serving.play import Watcher, find_generators
from speechgen.serving.synthesiser import Synthesiser

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
PATIENCE = 240  # seconds; a busy machine starts Chromium slowly
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1280,1500",
    "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip


@pytest.fixture(scope="module")
def address(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, private_folder() as folder:
        patch.setenv("NO_PROXY", "127.0.0.1")
        synthesiser = Synthesiser.load(tiny_models / "tts")
        generators = tmp_path_factory.mktemp("generators")
        sizes = {"width": 16, "layers": 1, "heads": 2, "tokenizer": {"kind": "pixels", "side": 4, "levels": 2}}
        for name, more in {"masked": {"order": {"kind": "masked"}}, "told": {"captions": True}}.items():
            config = make_config(GeneratorConfig, {**sizes, **more, "labels": ["cat", "face"]})
            save_model(generators / name, config, Generator(config), f"# {name}\n")
        watcher = Watcher(find_generators([generators]), folder)
        comparer = Comparer(synthesiser.codec, "tiny", folder)
        app = build_app(Cloner(synthesiser, folder), comparer, watcher=watcher)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        yield launch(app, "127.0.0.1", port, Limits().file_megabytes, wait=False)
        app.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("no Chromium with chromedriver here (Debian: apt-get install chromium chromium-driver)")
    webdriver = pytest.importorskip(
        "selenium.webdriver", reason="selenium is not installed: pip install 'speechgen[dev]'"
    )
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    chromium = webdriver.Chrome(options, webdriver.ChromeService(driver))
    chromium.set_script_timeout(PATIENCE)
    yield chromium
    chromium.quit()


def wait_for(browser, condition, what: str):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, PATIENCE, poll_frequency=0.5).until(condition, f"waited in vain for {what}")


def find(browser, selector: str):
    from selenium.webdriver.common.by import By

    return wait_for(browser, lambda page: next(iter(page.find_elements(By.CSS_SELECTOR, selector)), None), selector)


def played(browser, url: str, rate: int) -> dict:
    """Plays an address in the page: how far it got, in seconds, and its loudest sample at ``rate`` Hz."""
    script = """
      const [url, rate, done] = arguments;
      (async () => {
        const bytes = await (await fetch(url)).arrayBuffer();
        const sound = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes.slice(0));
        const peak = sound.getChannelData(0).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
        const player = new Audio(url);
        player.onended = () => done({peak, seconds: player.currentTime});
        player.onerror = () => done({error: String(player.error && player.error.message)});
        await player.play();
      })().catch(error => done({error: String(error)}));
    """
    return browser.execute_async_script(script, url, rate)


def downloaded(browser, url: str) -> bytes:
    script = """
      const [url, done] = arguments;
      fetch(url).then(answer => answer.blob()).then(blob => {
        const reader = new FileReader();
        reader.onload = () => done(reader.result.split(",")[1]);
        reader.readAsDataURL(blob);
      });
    """
    return base64.b64decode(browser.execute_async_script(script, url))


def test_a_sentence_is_cloned_and_heard(address: str, browser, prompt_file: Path, tmp_path: Path) -> None:
    browser.get(address)
    find(browser, "#prompt input[type=file]").send_keys(str(prompt_file))
    wait_for(browser, lambda page: "A good prompt" in find(page, "#verdict").text, "the verdict on the prompt")
    find(browser, "#text textarea").send_keys("The quick brown fox jumps over the lazy dog.")
    find(browser, "#speak").click()
    link = find(browser, "#take-1 a[download]").get_attribute("href")
    wait_for(browser, lambda page: "real time" in find(page, "#report").text, "the report")
    find(browser, "#picture img")
    heads = browser.execute_script("return [...document.querySelectorAll('#report th')].map(th => th.clientHeight)")
    assert heads and max(heads) < 60, "heads of the guard's table break within words"

    (tmp_path / "heard.wav").write_bytes(downloaded(browser, link))
    wave, rate = read_audio(tmp_path / "heard.wav")
    heard = played(browser, link, rate)
    assert heard.get("error") is None, heard
    assert wave.square().mean().sqrt() > 1e-3
    assert heard["peak"] == pytest.approx(wave.abs().max().item(), abs=0.02)
    assert heard["seconds"] == pytest.approx(len(wave) / rate, abs=0.1)
    assert browser.save_screenshot(str(tmp_path / "clone.png"))

    asked = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert asked and all(name.startswith((address, "blob:", "data:")) for name in asked), asked


def test_a_mistake_is_shown(address: str, browser) -> None:
    browser.get(address)
    find(browser, "#text textarea").send_keys("The dog.")
    find(browser, "#speak").click()
    told = wait_for(browser, lambda page: find(page, ".toast-body").text, "the message")
    assert "Record or upload a prompt first" in told


def test_a_codec_is_heard_beside_the_original(address: str, browser, prompt_file: Path, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By

    browser.get(address)
    find(browser, "#prompt")
    next(tab for tab in browser.find_elements(By.CSS_SELECTOR, "button[role=tab]") if tab.text == "Codec").click()
    find(browser, "#recording input[type=file]").send_keys(str(prompt_file))
    wait_for(browser, lambda page: not page.find_elements(By.CSS_SELECTOR, "#recording input[type=file]"), "the upload")
    find(browser, "#compare").click()
    wait_for(browser, lambda page: "kbit/s" in find(page, "#codec-report").text, "the report")
    link = find(browser, "#decoded a[download]").get_attribute("href")
    assert played(browser, link, 16000)["peak"] > 1e-3
    assert "mel distance" in find(browser, "#metrics").text
    assert browser.save_screenshot(str(tmp_path / "codec.png"))


def test_a_caption_is_typed_and_its_units_are_watched(address: str, browser, tmp_path: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    def choose(field: str, words: str) -> None:
        entry = find(browser, f"{field} input")
        entry.click()
        entry.send_keys(Keys.CONTROL, "a")
        entry.send_keys(words, Keys.ENTER)

    browser.get(address)
    find(browser, "#prompt")
    next(tab for tab in browser.find_elements(By.CSS_SELECTOR, "button[role=tab]") if tab.text == "Play").click()
    assert find(browser, "#play-order-steps").is_displayed()
    choose("#play-system", "told")
    wait_for(browser, lambda page: not page.find_elements(By.CSS_SELECTOR, "#play-order-steps input"), "the controls")
    choose("#play-label", "cat face")
    find(browser, "#play-watch").click()
    wait_for(browser, lambda page: "16 units in 16 steps" in find(page, "#play-report").text, "the last unit")
    assert find(browser, "#play-canvas img").is_displayed() and find(browser, "#play-order img").is_displayed()
    assert browser.save_screenshot(str(tmp_path / "play.png"))
